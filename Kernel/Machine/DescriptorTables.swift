// Segments, the task state and the interrupt descriptors. Intel SDM volume 3, sections 3.4, 6.14 and 7.7.

internal import MachineSupport

/// Fills and loads the tables that the processor reads; once, at start.
enum DescriptorTables {
  private static let codePrivileged: UInt64 = 0x00AF_9B00_0000_FFFF
  private static let dataPrivileged: UInt64 = 0x00CF_9300_0000_FFFF
  private static let codeOfPrograms: UInt64 = 0x00AF_FB00_0000_FFFF
  private static let dataOfPrograms: UInt64 = 0x00CF_F300_0000_FFFF
  private static let taskByteCount: UInt64 = 104

  /// The exceptions that arrive on a stack of their own: number of that stack in the task state.
  private static func stackNumber(ofVector vector: Int) -> UInt64 {
    switch vector {
    case 8: 1
    case 2: 2
    case 18: 3
    case 1: 4
    default: 0
    }
  }

  static func load() {
    loadSegments()
    loadTask()
    loadInterrupts()
  }

  private static func loadSegments() {
    let table = global_descriptors_address()
    memory_write64(table + UInt64(SELECTOR_KERNEL_CODE), codePrivileged)
    memory_write64(table + UInt64(SELECTOR_KERNEL_DATA), dataPrivileged)
    memory_write64(table + UInt64(SELECTOR_USER_DATA & ~7), dataOfPrograms)
    memory_write64(table + UInt64(SELECTOR_USER_CODE & ~7), codeOfPrograms)
    let task = task_state_address()
    // A 64-bit task state, available; its limit ends before an I/O permission map could begin.
    memory_write64(
      table + UInt64(SELECTOR_TASK),
      (taskByteCount - 1) | (task & 0xFF_FFFF) << 16 | 0x89 << 40 | (task >> 24 & 0xFF) << 56)
    memory_write64(table + UInt64(SELECTOR_TASK) + 8, task >> 32)
    load_global_descriptors(table, UInt16(DESCRIPTOR_COUNT * 8 - 1))
    load_code_segment()
    load_local_descriptors(0)
  }

  private static func loadTask() {
    let task = task_state_address()
    write(task + 4, kernel_stack_top_address())
    write(task + 36, double_fault_stack_top_address())
    write(task + 44, nonmaskable_stack_top_address())
    write(task + 52, machine_check_stack_top_address())
    write(task + 60, debug_stack_top_address())
    // The I/O permission map lies beyond the limit: ring 3 may use no port.
    memory_write32(task + 100, UInt32(taskByteCount) << 16)
    load_task(UInt16(SELECTOR_TASK))
  }

  /// The task state's fields are aligned to four bytes only.
  private static func write(_ address: UInt64, _ value: UInt64) {
    memory_write32(address, UInt32(truncatingIfNeeded: value))
    memory_write32(address + 4, UInt32(truncatingIfNeeded: value >> 32))
  }

  private static func loadInterrupts() {
    let table = interrupt_descriptors_address()
    for vector in 0..<256 {
      let stub = trap_stubs_address() + UInt64(vector) * UInt64(TRAP_STUB_STRIDE)
      // Present interrupt gates; only the breakpoint instruction may be used by programs.
      let access: UInt64 = vector == 3 ? 0xEE : 0x8E
      let low =
        stub & 0xFFFF | UInt64(SELECTOR_KERNEL_CODE) << 16 | stackNumber(ofVector: vector) << 32 | access << 40
        | (stub >> 16 & 0xFFFF) << 48
      memory_write64(table + UInt64(vector) * 16, low)
      memory_write64(table + UInt64(vector) * 16 + 8, stub >> 32)
    }
    load_interrupt_descriptors(table, 256 * 16 - 1)
  }
}
