// Between the entry code and the kernel: turns what the processor reports into events, and the kernel's answer into what
// the processor does next.

internal import MachineSupport
internal import Primitives
public import SystemCalls

/// Keeps alive what the processor record names.
nonisolated(unsafe) var dispatcher: Dispatcher?

/// Hands events to the kernel. There is one, and it lives as long as the machine runs.
public final class Dispatcher {
  private let kernel: Kernel
  private let features: ProcessorFeatures
  private var ticker: Ticker
  private var loadedBases: (fs: UInt64, gs: UInt64) = (0, 0)
  private let end: (ExitReport) -> Never

  private static let canonicalEnd: UInt64 = 1 << 47
  private static let pageFault: UInt64 = 14
  private static let accessOfRing3: UInt64 = 1 << 2
  private static let reservedBit: UInt64 = 1 << 3
  private static let generalProtection: UInt8 = 13

  init(_ kernel: Kernel, _ features: ProcessorFeatures, _ ticker: Ticker, end: @escaping (ExitReport) -> Never) {
    self.kernel = kernel
    self.features = features
    self.ticker = ticker
    self.end = end
  }

  /// An exception of ring 3, or an interrupt from ring 3 or idling. Returns true when the same thread goes on at once.
  @inline(__always)
  public func trap(_ vector: UInt64, _ errorCode: UInt64, isWatched: Bool) -> Bool {
    switch vector {
    case 0..<32:
      let event = Dispatcher.exception(vector, errorCode)
      return isWatched ? kernel.watch(.exception(event)) : kernel.exception(event)
    case UInt64(VECTOR_TIMER):
      timerInterrupt(isWatched: isWatched)
    case UInt64(VECTOR_LEGACY_BASE)..<UInt64(VECTOR_LEGACY_BASE) + 16:
      legacyInterrupt(UInt8(vector - UInt64(VECTOR_LEGACY_BASE)), isWatched: isWatched)
    default:
      // A spurious interrupt of the local controller wants no acknowledgement; no other vector is in use.
      break
    }
    return false
  }

  /// What the processor reported. A page fault of ring 3 that is not an access of ring 3 cannot be mended by mapping the
  /// page: no processor should raise one here, but QEMU 7.2 does for the stack of a far or interrupt return when SMAP is on.
  /// A fault for a reserved bit means that the page tables are broken, and entering the page anew would hide it or go on for
  /// ever. That bit is looked at before the one for a present page, which QEMU 7.2 leaves clear beside it.
  private static func exception(_ vector: UInt64, _ errorCode: UInt64) -> ProcessorException {
    guard vector == pageFault else {
      return ProcessorException(
        vector: UInt8(vector), errorCode: errorCode, address: 0, floatingPointStatus: floatingPointStatus(vector))
    }
    guard errorCode & (accessOfRing3 | reservedBit) == accessOfRing3 else {
      if errorCode & reservedBit != 0 { panic("a page table entry has a reserved bit set, at", read_control2()) }
      return ProcessorException(vector: generalProtection, errorCode: 0, address: 0)
    }
    return ProcessorException(vector: UInt8(vector), errorCode: errorCode, address: read_control2())
  }

  @inline(__always)
  private func timerInterrupt(isWatched: Bool) {
    ticker.fired()
    _ = isWatched ? kernel.watch(.timerTick) : kernel.handle(.timerTick)
  }

  @inline(__always)
  private func legacyInterrupt(_ line: UInt8, isWatched: Bool) {
    guard LegacyInterruptController.acknowledge(line) else { return }
    switch line {
    case LegacyInterruptController.timerLine:
      timerInterrupt(isWatched: isWatched)
    case LegacyInterruptController.serialLine, LegacyInterruptController.keyboardLine:
      _ = isWatched ? kernel.watch(.consoleInterrupt) : kernel.handle(.consoleInterrupt)
    default:
      break
    }
  }

  /// The conditions that are not masked. Those of the x87 unit are taken note of by that: otherwise its next instruction would
  /// report them again.
  private static func floatingPointStatus(_ vector: UInt64) -> UInt32 {
    switch vector {
    case 16:
      let status = UInt32(read_floating_point_status())
      let masked = UInt32(read_floating_point_control()) & 0x3f
      clear_floating_point_exceptions()
      return status & ~masked
    case 19:
      let status = read_vector_status()
      return status & ~(status >> 7 & 0x3f)
    default: return 0
    }
  }

  /// Prepares what runs next. Returns false when nothing can and the processor is to wait for an interrupt, or to answer
  /// those that are pending and ask again.
  @inline(__always)
  public func resume(isWatched: Bool) -> Bool {
    while true {
      switch isWatched ? kernel.watchNext() : kernel.next() {
      case .run(let context):
        let address = AddressLayout.directMapBase + context.raw
        set_current_context(address)
        let current = kernel.current
        set_current_thread(UInt64(current.thread), UInt64(current.process))
        // iret to such an address would fault in ring 0; the program takes the fault that the jump there deserves.
        guard context_word(address, UInt64(CONTEXT_RIP)) < Dispatcher.canonicalEnd else {
          let fault = ProcessorException(vector: Dispatcher.generalProtection, errorCode: 0, address: 0)
          _ = kernel.exception(fault)
          continue
        }
        loadSegments(address)
        ticker.arm(until: kernel.nextLookNanoseconds)
        return true
      case .idle(let deadline):
        set_current_context(0)
        ticker.wait(until: deadline)
        return false
      case .again:
        set_current_context(0)
        ticker.keepTicking()
        answer_interrupts_only()
        return false
      case .finished(let report):
        end(report)
      }
    }
  }

  /// The data segments and bases that the next thread starts with.
  private func loadSegments(_ context: UInt64) {
    reset_data_segments()
    let fs = context_word(context, UInt64(CONTEXT_FS_BASE))
    let gs = context_word(context, UInt64(CONTEXT_GS_BASE))
    if features.hasBaseInstructions {
      load_bases_by_instruction(fs, gs)
    } else if loadedBases != (fs, gs) || fs | gs != 0 {
      // A program that loads fs or gs with a selector sets the base to 0, unseen: what was loaded last says little.
      write_model_register(0xC000_0100, fs)
      write_model_register(0xC000_0101, gs)
      loadedBases = (fs, gs)
    }
  }
}
