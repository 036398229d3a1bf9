// Descriptors, reading, writing, seeking and fcntl (spec shm.md 3.19 to 3.24, fd.md section 4), naively.
import ABI

extension ReferenceModel {
  func close(_ process: ModelProcess, _ descriptor: Int32) -> Expectation {
    process.descriptors.removeValue(forKey: descriptor) == nil ? .error(.ebadf) : .value(0)
  }

  func duplicate(_ process: ModelProcess, _ descriptor: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    return install(process, file, from: 0, closesOnExec: false)
  }

  private func install(
    _ process: ModelProcess, _ file: ModelFile, from minimum: Int32, closesOnExec: Bool
  ) -> Expectation {
    let number = process.freeDescriptor(from: minimum)
    process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: closesOnExec)
    return .value(UInt64(number))
  }

  func duplicate(_ process: ModelProcess, _ descriptor: Int32, to target: Int32) -> Expectation {
    guard target >= 0, let file = process.file(descriptor) else { return .error(.ebadf) }
    if descriptor != target { process.descriptors[target] = ModelDescriptor(file: file, closesOnExec: false) }
    return .value(UInt64(target))
  }

  func fileControl(_ process: ModelProcess, _ descriptor: Int32, _ command: Int32, _ argument: Int64) -> Expectation {
    guard let entry = process.descriptors[descriptor] else { return .error(.ebadf) }
    switch command {
    case 0, 17:
      if argument < 0 { return .error(.einval) }
      return install(process, entry.file, from: Int32(argument), closesOnExec: command == 17)
    case 1: return .value(entry.closesOnExec ? 1 : 0)
    case 2:
      process.descriptors[descriptor]?.closesOnExec = argument & 1 != 0
      return .value(0)
    case 3:
      let access: UInt32 = entry.file.isReadable ? (entry.file.isWritable ? 2 : 0) : 1
      return .value(UInt64(access | entry.file.statusFlags))
    case 4:
      entry.file.statusFlags = UInt32(truncatingIfNeeded: argument) & 0xC
      return entry.file.is2008 ? .error(.eopnotsupp) : .value(0)
    case 19, 20:
      guard let object = entry.file.object, !entry.file.is2008 else { return .error(.einval) }
      if command == 20 { return .value(UInt64(object.seals)) }
      return addSeals(object, UInt32(truncatingIfNeeded: argument))
    default: return .anything
    }
  }

  private func addSeals(_ object: ModelObject, _ seals: UInt32) -> Expectation {
    if object.seals & 1 != 0 { return .error(.eperm) }
    if seals & ~object.seals & 8 != 0 {
      let isWritableSomewhere = processes.values.contains {
        $0.memory.values.contains { $0.object === object && $0.countsAsWritable }
      }
      if isWritableSomewhere { return .error(.ebusy) }
    }
    object.seals |= seals
    return .value(0)
  }

  func seek(_ process: ModelProcess, _ descriptor: Int32, _ offset: Int64, _ origin: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    if file.is2008 { return .error(.espipe) }
    let base: Int64
    switch origin {
    case 0: base = 0
    case 1: base = file.offset
    case 2: base = object.size
    default: return .error(.einval)
    }
    let (result, overflows) = base.addingReportingOverflow(offset)
    if overflows { return .error(.eoverflow) }
    if result < 0 || result > object.size { return .error(.einval) }
    file.offset = result
    return .value(UInt64(result))
  }

  func read(
    _ process: ModelProcess, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Expectation {
    guard let file = process.file(descriptor), file.isReadable else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    if file.is2008 { return offset != nil ? .error(.espipe) : byteCount == 0 ? .value(0) : .error(.eopnotsupp) }
    if let offset, offset < 0 { return .error(.einval) }
    let start = offset ?? file.offset
    let count = Int(max(0, min(Int64(byteCount), object.size - start)))
    if count > 0 {
      switch process.access(address, count, write: true) {
      case .fine:
        let bytes = object.bytes(from: Int(start), count: count)
        process.store(bytes, at: address)
        if output.count >= count, let at = (0..<count).first(where: { output[$0] != bytes[$0] }) {
          throw Difference("byte \(at) read is \(output[at]), expected \(bytes[at])")
        }
      case .signal: return .error(.efault)
      case .open: return .anything
      }
    }
    if offset == nil { file.offset += Int64(count) }
    return .value(UInt64(count))
  }

  func write(
    _ process: ModelProcess, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64?
  ) -> Expectation {
    guard let file = process.file(descriptor), file.isWritable else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    if file.is2008 { return .error(offset != nil ? .espipe : .eopnotsupp) }
    if let offset, offset < 0 { return .error(.einval) }
    if byteCount == 0 { return .value(0) }
    let start = offset ?? file.offset
    if object.seals & 8 != 0 { return .error(.eperm) }
    let end = start + Int64(byteCount)
    if object.creationFlags & 2 != 0 && end > object.size {
      if object.seals & 4 != 0 { return .error(.eperm) }
      object.resize(to: end, at: now)
    }
    let count = Int(max(0, min(Int64(byteCount), object.size - start)))
    if count > 0 {
      switch process.access(address, count, write: false) {
      case .fine: object.setBytes(process.load(address, count), at: Int(start))
      case .signal:
        // The page may have been made before the buffer turned out to be bad.
        if object.pages[Int(start / 4096)] == nil { object.perhapsAllocated.insert(Int(start / 4096)) }
        return .error(.efault)
      case .open: return .anything
      }
    }
    if offset == nil { file.offset += Int64(count) }
    return .value(UInt64(count))
  }
}
