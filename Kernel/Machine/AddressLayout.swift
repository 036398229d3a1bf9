// Where things are in the kernel's half of every address space (DESIGN, "Address space").

internal import ABI
internal import Handover
internal import MachineSupport

/// The fixed addresses.
enum AddressLayout {
  /// Root slot of the direct map.
  static let directMapSlot: UInt64 = 128
  /// Root slot of the one page that ring 3 may execute: the code that handlers of signals begin and end with.
  static let trampolineSlot: UInt64 = UserSpace.signalTrampoline >> 39
  /// Root slot of device memory.
  static let deviceSlot: UInt64 = 254
  /// Root slot of the kernel image.
  static let imageSlot: UInt64 = 255
  /// Virtual address of physical address 0 in the direct map.
  static let directMapBase = directMapSlot << 39
  /// Virtual address of physical address 0 among device memory.
  static let deviceBase = deviceSlot << 39
  /// Virtual address of physical address 0 in the image's slot.
  static let imageBase: UInt64 = IMAGE_BASE

  /// The boot stub with its page tables: it ends where the image begins, and is free once the final page tables are loaded.
  static var stub: ByteRange { ByteRange(start: boot_record_address() & ~0xFFFFF, end: image.start) }

  /// The image, guard pages included, as physical bytes.
  static var image: ByteRange {
    ByteRange(start: image_text_start_address() - imageBase, end: image_end_address() - imageBase)
  }
}
