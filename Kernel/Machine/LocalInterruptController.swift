// The processor's own interrupt controller, for its timer. Intel SDM volume 3, chapter 11.

internal import MachineSupport

/// The local APIC, by memory or, where the firmware switched x2APIC on, by model registers.
struct LocalInterruptController {
  private let base: UInt64?
  /// Timer ticks for 2^32 time stamps.
  private var timerFactor: UInt64 = 0
  private var timerStart: UInt64 = 0

  private static let baseRegister: UInt32 = 0x1B
  private static let enabled: UInt64 = 1 << 11
  private static let extended: UInt64 = 1 << 10

  private enum Register: UInt32 {
    case taskPriority = 0x080
    case endOfInterrupt = 0x0B0
    case spuriousVector = 0x0F0
    case timer = 0x320
    case line0 = 0x350
    case line1 = 0x360
    case error = 0x370
    case initialCount = 0x380
    case currentCount = 0x390
    case divideConfiguration = 0x3E0
  }

  private static let masked: UInt32 = 1 << 16
  private static let externalInterrupt: UInt32 = 0x700
  private static let nonmaskable: UInt32 = 0x400
  private static let divideBy16: UInt32 = 0x3

  /// Switches the controller on, with its timer stopped; nil when there is none.
  init?(_ tables: KernelPageTables, _ features: ProcessorFeatures) {
    guard features.hasLocalInterruptController else { return nil }
    let location = read_model_register(LocalInterruptController.baseRegister)
    if location & LocalInterruptController.extended != 0 {
      base = nil
    } else {
      guard let address = tables.mapDevice(location & 0x000F_FFFF_FFFF_F000) else { return nil }
      base = address
      write_model_register(LocalInterruptController.baseRegister, location | LocalInterruptController.enabled)
    }
    write(.taskPriority, 0)
    write(.timer, LocalInterruptController.masked)
    // The 8259's interrupts come through line 0.
    write(.line0, LocalInterruptController.externalInterrupt)
    write(.line1, LocalInterruptController.nonmaskable)
    write(.error, LocalInterruptController.masked)
    write(.divideConfiguration, LocalInterruptController.divideBy16)
    write(.spuriousVector, 0x100 | UInt32(VECTOR_SPURIOUS))
  }

  private func write(_ register: Register, _ value: UInt32) {
    if let base {
      memory_write32(base + UInt64(register.rawValue), value)
    } else {
      write_model_register(0x800 + register.rawValue >> 4, UInt64(value))
    }
  }

  private func read(_ register: Register) -> UInt32 {
    if let base { return memory_read32(base + UInt64(register.rawValue)) }
    return UInt32(truncatingIfNeeded: read_model_register(0x800 + register.rawValue >> 4))
  }

  /// Begins to measure the timer against the time stamp counter.
  mutating func startMeasuring() {
    write(.initialCount, .max)
    timerStart = read_time_stamp()
  }

  /// Ends the measurement and makes the timer interrupt once each time it is set.
  mutating func finishMeasuring() {
    let ticks = UInt64(UInt32.max - read(.currentCount))
    let timeStamps = max(read_time_stamp() &- timerStart, 1)
    timerFactor = (ticks << 32) / timeStamps
    write(.initialCount, 0)
    write(.timer, UInt32(VECTOR_TIMER))
  }

  /// Interrupts once, after this many time stamps (sooner when that is beyond the timer's range).
  func setTimer(timeStamps: UInt64) {
    let ticks = min(timeStamps, 1 << 40).scaled(by: timerFactor) + 1
    write(.initialCount, UInt32(min(ticks, UInt64(UInt32.max))))
  }

  /// Stops the timer.
  func stopTimer() {
    write(.initialCount, 0)
  }

  /// Ends the interrupt that is being answered.
  func acknowledge() {
    write(.endOfInterrupt, 0)
  }
}
