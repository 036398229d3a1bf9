// What the processor can do, and switching it on. Intel SDM volume 3, section 2.5; AMD64 manual volume 2, section 3.1.

internal import MachineSupport

/// The optional parts of the processor that the kernel uses.
struct ProcessorFeatures {
  let hasSystemCall: Bool
  let hasNoExecute: Bool
  let hasGlobalPages: Bool
  let hasSupervisorExecutionPrevention: Bool
  let hasSupervisorAccessPrevention: Bool
  let hasUserInstructionPrevention: Bool
  let hasBaseInstructions: Bool
  let hasExtendedSave: Bool
  let hasVectorExtension: Bool
  let hasLocalInterruptController: Bool
  let hasRandom: Bool
  let hasSeed: Bool

  /// Asks the processor.
  static func detect() -> ProcessorFeatures {
    let basic = identify_processor(1, 0)
    let highest = identify_processor(0, 0).eax
    let structured = highest >= 7 ? identify_processor(7, 0) : processor_identification()
    let extended = identify_processor(0x8000_0001, 0)
    return ProcessorFeatures(
      hasSystemCall: extended.edx & 1 << 11 != 0,
      hasNoExecute: extended.edx & 1 << 20 != 0,
      hasGlobalPages: basic.edx & 1 << 13 != 0,
      hasSupervisorExecutionPrevention: structured.ebx & 1 << 7 != 0,
      hasSupervisorAccessPrevention: structured.ebx & 1 << 20 != 0,
      hasUserInstructionPrevention: structured.ecx & 1 << 2 != 0,
      hasBaseInstructions: structured.ebx & 1 << 0 != 0,
      hasExtendedSave: basic.ecx & 1 << 26 != 0,
      hasVectorExtension: basic.ecx & 1 << 28 != 0,
      hasLocalInterruptController: basic.edx & 1 << 9 != 0,
      hasRandom: basic.ecx & 1 << 30 != 0,
      hasSeed: structured.ebx & 1 << 18 != 0)
  }

  private static let extendedFeatures: UInt32 = 0xC000_0080
  private static let systemCallEnable: UInt64 = 1 << 0
  private static let noExecuteEnable: UInt64 = 1 << 11

  /// NX, which the final page tables rely on, before they are loaded.
  func enableNoExecute() {
    guard hasNoExecute else { return }
    let value = read_model_register(ProcessorFeatures.extendedFeatures)
    write_model_register(ProcessorFeatures.extendedFeatures, value | ProcessorFeatures.noExecuteEnable)
  }

  /// Everything else, once the final page tables are loaded (global pages among it).
  func enableProtections() {
    // Paging stays; write protection in ring 0, native x87 errors; no emulation, no lazy switching.
    write_control0(read_control0() & ~(1 << 2 | 1 << 3) | 1 << 16 | 1 << 5 | 1 << 1)
    var control: UInt64 = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10
    if hasGlobalPages { control |= 1 << 7 }
    if hasUserInstructionPrevention { control |= 1 << 11 }
    if hasBaseInstructions { control |= 1 << 16 }
    if hasExtendedSave { control |= 1 << 18 }
    if hasSupervisorExecutionPrevention { control |= 1 << 20 }
    if hasSupervisorAccessPrevention { control |= 1 << 21 }
    write_control4(control)
    if hasBaseInstructions { set_has_base_instructions() }
    // No breakpoint of the firmware's or the loader's survives.
    write_debug7(0x400)
    write_debug6(0)
  }

  private static let star: UInt32 = 0xC000_0081
  private static let longStar: UInt32 = 0xC000_0082
  private static let compatibleStar: UInt32 = 0xC000_0083
  private static let flagMask: UInt32 = 0xC000_0084
  /// IF, TF, DF, AC, NT, and the I/O privilege level.
  private static let flagsCleared: UInt64 = 0x200 | 0x100 | 0x400 | 0x40000 | 0x4000 | 0x3000

  /// Lets ring 3 use `syscall`. The 32-bit ways in (`sysenter`, `syscall` in compatibility mode) lead nowhere: ring 3 has no
  /// 32-bit code segment.
  func enableSystemCalls() {
    let value = read_model_register(ProcessorFeatures.extendedFeatures)
    write_model_register(ProcessorFeatures.extendedFeatures, value | ProcessorFeatures.systemCallEnable)
    write_model_register(
      ProcessorFeatures.star, UInt64(SELECTOR_SYSRET_BASE) << 48 | UInt64(SELECTOR_KERNEL_CODE) << 32)
    let entry = system_call_entry_address(hasBaseInstructions ? 1 : 0)
    write_model_register(ProcessorFeatures.longStar, entry)
    write_model_register(ProcessorFeatures.compatibleStar, entry)
    write_model_register(ProcessorFeatures.flagMask, ProcessorFeatures.flagsCleared)
  }
}
