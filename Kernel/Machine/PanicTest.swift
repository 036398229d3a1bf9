// Failing on purpose (kernel option `panic-test`), so that tests can see each protection and the report it leads to.

internal import Handover
internal import MachineSupport
public import Memory
internal import Primitives

/// The deliberate failures.
public enum PanicTest {
  /// Fails in the way that `kind` names; without a name, by a plain panic.
  public static func run(_ kind: [UInt8], _ memory: MemorySystem) -> Never {
    if kind.isEmpty { panicPlainly() }
    if matches(kind, "trap") { failCheck(kind.count) }
    if matches(kind, "stack-overflow") { _ = overflow(UInt64(kind.count)) }
    if matches(kind, "text-write") { memory_write64(image_text_start_address(), 0) }
    if matches(kind, "constants-write") { memory_write64(image_constants_start_address(), 0) }
    if matches(kind, "data-execute") { call_address(image_data_start_address()) }
    if matches(kind, "direct-map-execute") {
      call_address(AddressLayout.directMapBase + memory.kernelRoot.address.raw)
    }
    if matches(kind, "identity-map") { memory_write64(0x10_0000, 0) }
    if matches(kind, "null-read") { _ = memory_read64(0) }
    if matches(kind, "reserved-bit") { readThroughReservedBit(memory.kernelRoot) }
    panic("the protection that panic-test asks for is missing, or it names no test")
  }

  /// A function of its own, so that it has a frame to be seen in the backtrace.
  @inline(never)
  private static func panicPlainly() -> Never { panic("asked for by panic-test") }

  /// Sets the highest bit of a physical address, which few machines have, in the entry of a device page, and reads there.
  private static func readThroughReservedBit(_ root: FrameNumber) {
    let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
    let slot = AddressLayout.directMapBase + root.address.raw + AddressLayout.deviceSlot * 8
    let pointers = AddressLayout.directMapBase + memory_read64(slot) & addressMask
    let directory = AddressLayout.directMapBase + memory_read64(pointers) & addressMask
    memory_write64(directory, 1 << 51 | 1 << 7 | 1 << 1 | 1 << 0)
    invalidate_page(AddressLayout.deviceBase)
    _ = memory_read8(AddressLayout.deviceBase)
  }

  @inline(never)
  private static func failCheck(_ count: Int) {
    precondition(count == 0)
  }

  /// Uses a page of stack in each call, and needs the result afterwards, so that it is no loop.
  @inline(never)
  private static func overflow(_ depth: UInt64) -> UInt64 {
    if depth == 1 << 40 { return 0 }
    var page = [512 of UInt64](repeating: depth)
    page[Int(depth % 512)] = overflow(depth + 1)
    return page[Int(depth % 7)] + depth
  }
}
