// The kernel's stacks as the linker script lays them out, each between two absent pages.

internal import MachineSupport

/// One stack: `bottom ..< top`.
struct KernelStack {
  let name: StaticString
  let bottom: UInt64
  let top: UInt64

  private static let eventByteCount: UInt64 = 65536
  private static let exceptionByteCount: UInt64 = 12288
  private static let guardByteCount: UInt64 = 4096

  static var event: KernelStack {
    KernelStack(name: "kernel stack", top: kernel_stack_top_address(), byteCount: eventByteCount)
  }

  /// All of them. (A fixed-size array: the panic path asks too.)
  static var all: [5 of KernelStack] {
    [
      event,
      KernelStack(name: "double fault stack", top: double_fault_stack_top_address(), byteCount: exceptionByteCount),
      KernelStack(name: "NMI stack", top: nonmaskable_stack_top_address(), byteCount: exceptionByteCount),
      KernelStack(name: "machine check stack", top: machine_check_stack_top_address(), byteCount: exceptionByteCount),
      KernelStack(name: "debug stack", top: debug_stack_top_address(), byteCount: exceptionByteCount),
    ]
  }

  private init(name: StaticString, top: UInt64, byteCount: UInt64) {
    self.name = name
    self.top = top
    bottom = top - byteCount
  }

  /// Whether a word at this address lies on the stack.
  func holdsWord(at address: UInt64) -> Bool { address >= bottom && address <= top - 8 }

  /// Whether the address lies in the absent page below the stack.
  func guardHolds(_ address: UInt64) -> Bool { address < bottom && address >= bottom - KernelStack.guardByteCount }
}
