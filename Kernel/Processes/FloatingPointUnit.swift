// The processor's floating point registers, as the kernel sees them: one set, belonging to at most one thread at a time.

/// Moves the floating point registers between the processor and a thread's context (offset 256, 832 bytes).
///
/// The kernel decides when: eagerly at every switch between threads and before a fork copies the context. It never saves into the context
/// of a thread that has ended. A context starts with x87 control word 0x037F and MXCSR 0x1F80 and zeros everywhere else,
/// the XSAVE header included, so that it can be restored by XRSTOR and by FXRSTOR alike.
public protocol FloatingPointUnit: AnyObject {
  /// Bytes of the area behind the first 512 that mean something: header and upper halves of vector registers; 0 without XSAVE.
  var extendedByteCount: Int { get }
  /// The components that the processor saves, as in XCR0; 0 without XSAVE.
  var components: UInt64 { get }
  /// The bits of MXCSR that may be set.
  var vectorStatusMask: UInt32 { get }
  /// Writes the registers into the floating point area of the context at this physical address.
  func save(into context: UInt64)
  /// Loads the registers from the floating point area of the context at this physical address.
  func restore(from context: UInt64)
  /// Saves into one context, then restores from another.
  func exchange(savingInto old: UInt64, restoringFrom new: UInt64)
  /// Loads the registers with which a context starts.
  func reset()
}
