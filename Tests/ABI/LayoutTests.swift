// Sizes and offsets of the structures that cross the boundary, against the tables of spec abi.md.

import ABI
import Testing

/// The bytes that `encode` leaves in a zeroed buffer of `byteCount` bytes.
private func encoded(_ byteCount: Int, _ encode: (inout MutableRawSpan) -> Void) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: byteCount)
  var elements = buffer.mutableSpan
  var bytes = MutableRawSpan(_elements: &elements)
  encode(&bytes)
  return buffer
}

@Suite struct LayoutTests {
  @Test func `timespec is seconds then nanoseconds`() {
    let time = Timespec(seconds: 3, nanoseconds: 999_999_999)
    let bytes = encoded(Timespec.byteCount) { time.encode(into: &$0) }
    #expect(bytes.span.loadInt64(at: 0) == 3)
    #expect(bytes.span.loadInt64(at: 8) == 999_999_999)
    #expect(Timespec(decoding: bytes.span) == time)
    #expect(Timespec(nanoseconds: 5_000_000_007) == Timespec(seconds: 5, nanoseconds: 7))
    #expect(time.isValid)
    #expect(!Timespec(seconds: 0, nanoseconds: 1_000_000_000).isValid)
    #expect(!Timespec(seconds: 0, nanoseconds: -1).isValid)
  }

  @Test func `timeval is seconds then microseconds`() {
    let time = Timeval(nanoseconds: 2_000_003_999)
    let bytes = encoded(Timeval.byteCount) { time.encode(into: &$0) }
    #expect(Timeval(decoding: bytes.span) == Timeval(seconds: 2, microseconds: 3))
  }

  private var sample: Stat {
    var stat = Stat()
    stat.device = 0x1_0000_0001
    stat.inode = 0x2_0000_0002
    stat.linkCount = 0x3_0003
    stat.mode = [.regularFile, .ownerRead, .ownerWrite]
    stat.userIdentifier = 4
    stat.groupIdentifier = 5
    stat.representedDevice = 0x6_0000_0006
    stat.accessTime = Timespec(seconds: 10, nanoseconds: 11)
    stat.modificationTime = Timespec(seconds: 12, nanoseconds: 13)
    stat.changeTime = Timespec(seconds: 14, nanoseconds: 15)
    stat.birthTime = Timespec(seconds: 16, nanoseconds: 17)
    stat.size = 18
    stat.blockCount = 19
    stat.preferredBlockByteCount = 4096
    return stat
  }

  @Test func `stat has today's offsets`() {
    #expect(Stat.byteCount == 224)
    let bytes = encoded(Stat.byteCount) { sample.encode(into: &$0) }
    let span = bytes.span
    #expect(span.loadUInt64(at: 0) == 0x1_0000_0001)
    #expect(span.loadUInt64(at: 8) == 0x2_0000_0002)
    #expect(span.loadUInt64(at: 16) == 0x3_0003)
    #expect(span.loadUInt16(at: 24) == 0o100600)
    #expect(span.loadUInt16(at: 26) == 0)
    #expect(span.loadUInt32(at: 28) == 4)
    #expect(span.loadUInt32(at: 32) == 5)
    #expect(span.loadUInt32(at: 36) == 0)
    #expect(span.loadUInt64(at: 40) == 0x6_0000_0006)
    for (index, offset) in [48, 56, 64, 72, 80, 88, 96, 104].enumerated() {
      #expect(span.loadInt64(at: offset) == Int64(10 + index))
    }
    #expect(span.loadInt64(at: 112) == 18)
    #expect(span.loadInt64(at: 120) == 19)
    #expect(span.loadUInt32(at: 128) == 4096)
    #expect(bytes[132...].allSatisfy { $0 == 0 })
    #expect(Stat(decoding: span) == sample)
  }

  @Test func `stat of2008 has its offsets and truncates`() {
    #expect(Stat2008.byteCount == 120)
    let bytes = encoded(Stat2008.byteCount) { Stat2008(sample).encode(into: &$0) }
    let span = bytes.span
    #expect(span.loadUInt32(at: 0) == 1)
    #expect(span.loadUInt32(at: 4) == 2)
    #expect(span.loadUInt16(at: 8) == 0o100600)
    #expect(span.loadUInt16(at: 10) == 3)
    #expect(span.loadUInt32(at: 12) == 4)
    #expect(span.loadUInt32(at: 16) == 5)
    #expect(span.loadUInt32(at: 20) == 6)
    for (index, offset) in [24, 32, 40, 48, 56, 64].enumerated() {
      #expect(span.loadInt64(at: offset) == Int64(10 + index))
    }
    #expect(span.loadInt64(at: 72) == 18)
    #expect(span.loadInt64(at: 80) == 19)
    #expect(span.loadUInt32(at: 88) == 4096)
    #expect(bytes[92..<104].allSatisfy { $0 == 0 })
    #expect(span.loadInt64(at: 104) == 16)
    #expect(span.loadInt64(at: 112) == 17)
  }

  @Test func `rusage has two times and fourteen longs`() {
    #expect(Rusage.byteCount == 2 * Timeval.byteCount + 14 * 8)
    var usage = Rusage()
    usage.userTime = Timeval(seconds: 1, microseconds: 2)
    usage.systemTime = Timeval(seconds: 3, microseconds: 4)
    usage.maximumResidentKibibytes = 5
    usage.minorFaults = 6
    usage.majorFaults = 7
    usage.signals = 8
    usage.voluntarySwitches = 9
    usage.involuntarySwitches = 10
    let bytes = encoded(Rusage.byteCount) { usage.encode(into: &$0) }
    #expect(bytes.span.loadInt64(at: 32) == 5)
    #expect(bytes.span.loadInt64(at: 136) == 10)
    #expect(Rusage(decoding: bytes.span) == usage)
  }

  @Test func `resource limit is soft then hard`() {
    let limit = ResourceLimit(soft: 7, hard: ResourceLimit.infinity)
    let bytes = encoded(ResourceLimit.byteCount) { limit.encode(into: &$0) }
    #expect(bytes.span.loadInt64(at: 0) == 7)
    #expect(bytes.span.loadInt64(at: 8) == Int64.max)
    #expect(ResourceLimit(decoding: bytes.span) == limit)
  }

  @Test func `a context as a structure is where its offsets say`() {
    typealias Record = UserContextRecord
    #expect(MemoryLayout<Record>.size == UserContext.byteCount)
    #expect(MemoryLayout<Record>.offset(of: \.onStack) == UserContext.onStack)
    #expect(MemoryLayout<Record>.offset(of: \.rdi) == UserContext.registers)
    #expect(MemoryLayout<Record>.offset(of: \.r15) == UserContext.registers + 14 * 8)
    #expect(MemoryLayout<Record>.offset(of: \.trapNumber) == UserContext.trapNumber)
    #expect(MemoryLayout<Record>.offset(of: \.flags) == UserContext.flags)
    #expect(MemoryLayout<Record>.offset(of: \.processorFlags) == UserContext.processorFlags)
    #expect(MemoryLayout<Record>.offset(of: \.floatingPoint) == UserContext.floatingPoint)
    #expect(MemoryLayout<Record>.offset(of: \.gsBase) == UserContext.gsBase)
    #expect(MemoryLayout<Record>.offset(of: \.rest) == UserContext.extended)
    #expect(MemoryLayout<Record.Rest>.offset(of: \.extendedLength) == UserContext.extendedLength - UserContext.extended)
    #expect(MemoryLayout<Record.Rest>.offset(of: \.stackStart) == UserContext.stack - UserContext.extended)
  }
}
