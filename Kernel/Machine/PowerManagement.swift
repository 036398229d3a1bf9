// Switching the machine off through ACPI: the tables are walked to the sleep type of state S5 and the register it goes to.
// ACPI 6.5, sections 5.2.5, 5.2.9, 4.8.3.2 and 7.4.2.
//
// Everything read here is checked to lie below 4 GiB, where device memory can be mapped, and to be as long as it claims.
// Whatever is missing or odd ends in `false`: the caller halts.

internal import MachineSupport

/// ACPI, as far as switching off needs it.
enum PowerManagement {
  /// Set when the final page tables are loaded; until then the boot stub's map memory below 4 GiB where it is.
  nonisolated(unsafe) static var tables: KernelPageTables?

  private static let sleepEnable: UInt16 = 1 << 13

  /// Switches the machine off if it can be; returns if it can not.
  static func powerOff() {
    guard let description = fixedDescription() else { return }
    let differentiated = UInt64(read32(description + 40))
    let control = UInt16(truncatingIfNeeded: read32(description + 64))
    guard control != 0, let sleepType = sleepTypeOfS5(differentiated) else { return }
    port_write16(control, port_read16(control) & 1 | sleepType << 10 | sleepEnable)
    // The machine takes a moment to go.
    for _ in 0..<1_000_000 { _ = port_read8(0x80) }
  }

  private static func read8(_ physical: UInt64) -> UInt8 {
    guard let tables = unsafe tables else { return physical < 1 << 32 ? memory_read8(physical) : 0 }
    guard let address = tables.mapDevice(physical) else { return 0 }
    return memory_read8(address)
  }

  private static func read32(_ physical: UInt64) -> UInt32 {
    var value: UInt32 = 0
    for offset in 0..<UInt64(4) { value |= UInt32(read8(physical + offset)) << UInt32(offset * 8) }
    return value
  }

  private static func matches(_ physical: UInt64, _ text: StaticString) -> Bool {
    for index in 0..<text.utf8CodeUnitCount {
      // SAFETY: the index is below the text's length.
      if unsafe read8(physical + UInt64(index)) != text.utf8Start[index] { return false }
    }
    return true
  }

  /// The root pointer lies on a 16-byte boundary of the BIOS area.
  private static func rootPointer() -> UInt64? {
    var address: UInt64 = 0xE0000
    while address < 0x10_0000 {
      if matches(address, "RSD PTR ") { return address }
      address += 16
    }
    return nil
  }

  /// The fixed description table ("FACP"), through the 32-bit root table, which every machine with a BIOS has.
  private static func fixedDescription() -> UInt64? {
    guard let root = rootPointer() else { return nil }
    let table = UInt64(read32(root + 16))
    guard matches(table, "RSDT") else { return nil }
    let byteCount = UInt64(min(read32(table + 4), 4096))
    var entry = table + 36
    while entry + 4 <= table + byteCount {
      let candidate = UInt64(read32(entry))
      if matches(candidate, "FACP") { return candidate }
      entry += 4
    }
    return nil
  }

  /// Finds `Name (_S5, Package () { type, … })` by its bytes.
  private static func sleepTypeOfS5(_ table: UInt64) -> UInt16? {
    guard matches(table, "DSDT") else { return nil }
    let end = table + UInt64(min(read32(table + 4), 1 << 20))
    var place = table + 36
    while place + 16 < end {
      if read8(place) == 0x5F, matches(place, "_S5_"), read8(place + 4) == 0x12 { return packageValue(place + 5) }
      place += 1
    }
    return nil
  }

  /// The first element of a package, behind its length (1 to 4 bytes) and its number of elements.
  private static func packageValue(_ start: UInt64) -> UInt16 {
    let element = start + 1 + UInt64(read8(start) >> 6) + 1
    let isBytePrefixed = read8(element) == 0x0A
    return UInt16(read8(isBytePrefixed ? element + 1 : element) & 7)
  }
}
