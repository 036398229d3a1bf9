// The floating point and vector registers of programs. The kernel's own code has none.
//
// Invariant: XCR0 enables exactly the components that `save` stores, so no component can carry values between programs.

internal import MachineSupport
internal import Processes

/// Saves and restores the registers in the area of a thread context.
final class FloatingPoint: FloatingPointUnit {
  private let savedComponents: UInt32?

  private static let legacyAndVector: UInt32 = 0b011
  private static let upperHalves: UInt32 = 0b100

  /// Switches the unit on.
  init(_ features: ProcessorFeatures) {
    guard features.hasExtendedSave else {
      savedComponents = nil
      return
    }
    let chosen = FloatingPoint.legacyAndVector | (features.hasVectorExtension ? FloatingPoint.upperHalves : 0)
    write_extended_control0(UInt64(chosen))
    savedComponents = chosen
  }

  /// The header, and with AVX the upper halves.
  var extendedByteCount: Int {
    guard let savedComponents else { return 0 }
    return savedComponents & FloatingPoint.upperHalves != 0 ? 320 : 64
  }

  /// What XCR0 has.
  var components: UInt64 { UInt64(savedComponents ?? 0) }

  /// Everything but what is reserved; without denormals-are-zeros, which a processor without AVX may lack.
  var vectorStatusMask: UInt32 { extendedByteCount == 320 ? 0xffff : 0xffbf }

  /// Writes the registers into the floating point area of the context at this physical address.
  func save(into context: UInt64) {
    let area = FloatingPoint.area(context)
    if let components = savedComponents { save_extended_state(area, components) } else { save_legacy_state(area) }
  }

  /// Writes the registers into one area, then loads them from another: both at once, because every switch does it.
  func exchange(savingInto old: UInt64, restoringFrom new: UInt64) {
    let (saved, loaded) = (FloatingPoint.area(old), FloatingPoint.area(new))
    guard let components = savedComponents else {
      save_legacy_state(saved)
      return restore_legacy_state(loaded)
    }
    save_extended_state(saved, components)
    restore_extended_state(loaded, components)
  }

  /// Loads the registers of a new program.
  func reset() {
    let area = clean_floating_point_address()
    if let components = savedComponents { restore_extended_state(area, components) } else { restore_legacy_state(area) }
  }

  @inline(__always)
  private static func area(_ context: UInt64) -> UInt64 {
    AddressLayout.directMapBase + context + UInt64(CONTEXT_FLOATING_POINT)
  }

  /// Loads the registers from the floating point area of the context at this physical address.
  func restore(from context: UInt64) {
    let area = FloatingPoint.area(context)
    if let components = savedComponents { restore_extended_state(area, components) } else { restore_legacy_state(area) }
  }
}
