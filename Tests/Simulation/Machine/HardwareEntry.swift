// One paging-structure entry as the processor reads it (Intel SDM volume 3, 4.5), stated apart from the kernel's own
// description of the format so that a mistake in one is not repeated in the other.

/// A 64-bit entry of a PML4, page-directory-pointer table, page directory or page table.
struct HardwareEntry: Equatable {
  var raw: UInt64

  static let accessed: UInt64 = 1 << 5
  static let dirty: UInt64 = 1 << 6

  var isPresent: Bool { raw & 1 != 0 }
  var isWritable: Bool { raw & 2 != 0 }
  var isUser: Bool { raw & 4 != 0 }
  var isAccessed: Bool { raw & Self.accessed != 0 }
  var isDirty: Bool { raw & Self.dirty != 0 }
  var isLarge: Bool { raw & (1 << 7) != 0 }
  var isGlobal: Bool { raw & (1 << 8) != 0 }
  var isNoExecute: Bool { raw & (1 << 63) != 0 }

  /// The physical address the entry leads to.
  var address: UInt64 { raw & 0x000F_FFFF_FFFF_F000 }

  /// Bits above the physical address width of the simulated machine (40 bits) that must be zero.
  var hasReservedBits: Bool { raw & 0x000F_FF00_0000_0000 != 0 }
}

/// The error code of a page fault (Intel SDM volume 3, 4.7).
public struct PageFaultCode: OptionSet, Equatable, Sendable {
  /// The bits as the processor pushes them.
  public let rawValue: UInt64

  /// Wraps the bits of an error code.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The translation existed; a right was lacking.
  public static let present = PageFaultCode(rawValue: 1)
  /// The access was a write.
  public static let write = PageFaultCode(rawValue: 2)
  /// The access was made in user mode.
  public static let user = PageFaultCode(rawValue: 4)
  /// A reserved bit was set in an entry.
  public static let reserved = PageFaultCode(rawValue: 8)
  /// The access was an instruction fetch.
  public static let fetch = PageFaultCode(rawValue: 16)
}

/// What a program does with an address.
public enum MemoryAccess: Sendable {
  /// Reads data.
  case read
  /// Writes data.
  case write
  /// Fetches an instruction.
  case fetch
}

/// A page fault, as the simulated processor reports it.
public struct PageFault: Error, Equatable {
  /// The address accessed (CR2).
  public let address: UInt64
  /// The error code pushed.
  public let code: PageFaultCode
}
