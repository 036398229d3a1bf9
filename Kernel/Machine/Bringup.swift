internal import MachineSupport
internal import Memory

public func bringUp() {
  Console.initialize()
  logLine("hello")
  DescriptorTables.load()
  let features = ProcessorFeatures.detect()
  features.enableNoExecute()
  let information = BootInformation.read()
  var map = MemoryMap(information, image: ByteRange(start: AddressLayout.stub.start, end: AddressLayout.image.end))
  let tables = KernelPageTables(&map, features)
  tables.load()
  map.release(AddressLayout.stub)
  features.enableProtections()
  features.enableSystemCalls()
  logLine("frames ", map.physicalFrameCount, "")
  for r in map.ranges { logLine("start ", UInt64(r.start), ""); logLine("end ", UInt64(r.end), "") }
  logLine("options ", UInt64(information.commandLine.count), "")
  logLine("ticks ", read_time_stamp() - 0, "")
  memory_write32(0x7F8000108000, 5)
}
