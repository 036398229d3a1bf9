// Taking over from the boot loader: its tables are read through the boot stub's identity map and judged; what cannot be
// started on is said, and ends the run.

internal import Handover
internal import MachineSupport
internal import Primitives
internal import Runtime
internal import SystemCalls

/// Physical memory below 4 GiB, at the addresses that it has until the final page tables are loaded.
private struct IdentityMap: LoaderMemory {
  private static let end: UInt64 = 1 << 32

  func isReadable(_ address: UInt64, _ byteCount: UInt64) -> Bool {
    address <= IdentityMap.end && byteCount <= IdentityMap.end - address
  }

  func byte(at address: UInt64) -> UInt8 { memory_read8(address) }
}

/// What the boot loader handed over.
struct BootHandover {
  let options: KernelOptions
  let modules: [BootModule]
  let map: MemoryMap

  /// The tables themselves. The screen shows from then on what is said, whether or not they can be read.
  private static func readInformation() throws(BootRefusal) -> BootInformation {
    let record = boot_record_address()
    do throws(BootRefusal) {
      let information = try BootInformation(
        from: IdentityMap(), at: memory_read64(record + 8), magic: memory_read64(record + 16))
      Screen.initialize(information.screen)
      return information
    } catch {
      Screen.initialize(.unsaid)
      throw error
    }
  }

  /// Reads the tables that the boot stub was given. Once, before the final page tables are loaded.
  static func take() -> BootHandover {
    do throws(BootRefusal) {
      let information = try readInformation()
      let options = KernelOptions(information.commandLine, beginsWithFile: information.isLoadedByEmulator)
      unsafe MachineConsole.isQuiet = options.isQuiet
      if options.inspectionInterval != nil { FrameBackedHeap.startChecking() }
      if let refusal = options.refusal { throw refusal }
      let image = ByteRange(start: AddressLayout.stub.start, end: AddressLayout.image.end)
      let map = try MemoryMap(information, image: image)
      if information.screen == .graphics { logLine("the screen does not show text: the console is the serial line") }
      if map.isCut { logLine("memory beyond 1 TiB is not used") }
      var modules: [BootModule] = []
      modules.reserveCapacity(information.modules.count)
      for module in information.modules {
        modules.append(
          BootModule(
            commandLine: module.commandLine, start: PhysicalAddress(module.content.start),
            byteCount: module.content.end - module.content.start))
      }
      return BootHandover(options: options, modules: modules, map: map)
    } catch {
      HostReport.refuseStart(error)
    }
  }
}
