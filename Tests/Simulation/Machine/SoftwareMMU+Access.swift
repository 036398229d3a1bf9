// Loads and stores of a user program. Each is one instruction: it either happens whole or faults.

extension SoftwareMMU {
  /// Loads a byte.
  public func loadByte(at address: UInt64) throws(PageFault) -> UInt8 {
    memory.byte(at: try checked(address, .read))
  }

  /// Stores a byte.
  public func storeByte(_ value: UInt8, at address: UInt64) throws(PageFault) {
    memory.setByte(value, at: try checked(address, .write))
  }

  /// Loads bytes that lie in one page.
  public func loadBytes(at address: UInt64, byteCount: Int) throws(PageFault) -> [UInt8] {
    precondition(address & 0xFFF + UInt64(byteCount) <= 4096, "one instruction touches one page")
    return memory.bytes(at: try checked(address, .read), byteCount: byteCount)
  }

  /// Stores bytes that lie in one page.
  public func storeBytes(_ bytes: [UInt8], at address: UInt64) throws(PageFault) {
    precondition(address & 0xFFF + UInt64(bytes.count) <= 4096, "one instruction touches one page")
    memory.setBytes(bytes, at: try checked(address, .write))
  }

  /// Fetches an instruction.
  public func fetch(at address: UInt64) throws(PageFault) {
    _ = try checked(address, .fetch)
  }

  private func checked(_ address: UInt64, _ access: MemoryAccess) throws(PageFault) -> UInt64 {
    let physical = try translate(address, access)
    if physical >= UInt64(memory.byteCount) {
      violations.append("\(hexadecimal(address)) is mapped to \(hexadecimal(physical)), where there is no memory")
      throw fault(address, access, [])
    }
    return physical
  }
}
