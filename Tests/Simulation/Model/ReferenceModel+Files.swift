// Descriptors and fcntl (spec shm.md 3.24, fd.md sections 3 and 4), naively.
import ABI

extension ReferenceModel {
  /// Descriptors at or above this are refused.
  func descriptorLimit(_ process: ModelProcess) -> Int {
    min(Int(clamping: process.limits[8].soft), facts.maximumFilesPerProcess)
  }

  /// Open file descriptions that exist.
  var openFileCount: Int { openFiles.count }

  /// Whether there may not be another open file.
  func isOutOfFiles(_ process: ModelProcess, beside others: Int = 0) -> Bool {
    if maximumFileCount == Int.max { return false }
    let count = openFileCount + others + 1
    let unprivileged = maximumFileCount - maximumFileCount / 20
    return count >= maximumFileCount || count >= unprivileged && process.credentials.effectiveUser != 0
  }

  /// ENFILE and EMFILE of a call that makes an open file (spec fd.md section 3: in this order).
  func fileLimitError(_ process: ModelProcess) -> Errno? {
    if isOutOfFiles(process) { return .enfile }
    return Int(process.freeDescriptor()) >= descriptorLimit(process) ? .emfile : nil
  }

  func closeRange(_ process: ModelProcess, _ lowest: UInt32, _ highest: UInt32, _ flags: UInt32) -> Expectation {
    if flags & ~4 != 0 || lowest > highest { return .error(.einval) }
    for descriptor in process.descriptors.keys where UInt32(descriptor) >= lowest && UInt32(descriptor) <= highest {
      if flags == 0 {
        process.descriptors[descriptor] = nil
      } else {
        process.descriptors[descriptor]?.closesOnExec = true
      }
    }
    return .value(0)
  }

  func duplicate(_ process: ModelProcess, _ descriptor: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    return install(process, file, from: 0, closesOnExec: false)
  }

  private func install(
    _ process: ModelProcess, _ file: ModelFile, from minimum: Int32, closesOnExec: Bool
  ) -> Expectation {
    let number = process.freeDescriptor(from: minimum)
    if Int(number) >= descriptorLimit(process) { return .error(.emfile) }
    process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: closesOnExec)
    return .value(UInt64(number))
  }

  func duplicate(
    _ process: ModelProcess, _ descriptor: Int32, to target: Int32, closesOnExec: Bool = false
  ) -> Expectation {
    guard target >= 0, Int(target) < descriptorLimit(process), let file = process.file(descriptor) else {
      return .error(.ebadf)
    }
    if descriptor != target {
      process.descriptors[target] = ModelDescriptor(file: file, closesOnExec: closesOnExec)
    } else if closesOnExec {
      process.descriptors[target]?.closesOnExec = true
    }
    return .value(UInt64(target))
  }

  func fileControl(_ process: ModelProcess, _ descriptor: Int32, _ command: Int32, _ argument: Int64) -> Expectation {
    let argument32 = Int32(truncatingIfNeeded: argument)
    if command == 0 || command == 17, descriptor >= 0,
      argument32 < 0 || Int(argument32) >= descriptorLimit(process)
    {
      return .error(.einval)
    }
    // A command that does not exist, and the structure of a lock, come before the descriptor (spec shm.md section 3.24).
    if command < 0 || command > 22 { return .error(.einval) }
    if let byteCount = Self.lockByteCounts[command] {
      let address = UInt64(bitPattern: argument)
      if process.access(address, byteCount, write: false) != .fine { return .error(.efault) }
      _ = process.load(address, byteCount)
      if command == 14 && process.credentials.effectiveUser != 0 { return .error(.eperm) }
      return .error(command == 22 ? .einval : .ebadf)
    }
    guard let entry = process.descriptors[descriptor] else { return .error(.ebadf) }
    switch command {
    case 0, 17:
      return install(process, entry.file, from: argument32, closesOnExec: command == 17)
    case 10, 18: return duplicate(process, descriptor, to: argument32, closesOnExec: command == 18)
    case 1: return .value(entry.closesOnExec ? 1 : 0)
    case 2:
      process.descriptors[descriptor]?.closesOnExec = argument & 1 != 0
      return .value(0)
    case 3:
      let access: UInt32 = entry.file.isReadable ? (entry.file.isWritable ? 2 : 0) : 1
      return .value(UInt64(access | entry.file.statusFlags))
    case 4:
      if entry.file.refusesAsynchronous && argument & 0x40 != 0 { return .error(.einval) }
      entry.file.statusFlags = UInt32(truncatingIfNeeded: argument) & (ModelFile.openFlags | ModelFile.readAhead)
      return entry.file.is2008 ? .error(.eopnotsupp) : .value(0)
    case 5, 6: return .error(entry.file.is2008 ? .eopnotsupp : .enotty)
    case 15, 16:
      if entry.file.isObject { return .error(.ebadf) }
      guard case .program = entry.file.kind else { return .error(.enotty) }
      let isOn = command == 16 || argument >= 0
      entry.file.statusFlags = entry.file.statusFlags & ~ModelFile.readAhead | (isOn ? ModelFile.readAhead : 0)
      return .value(0)
    case 21: return entry.file.isObject ? .error(.ebadf) : .value(0)
    case 19, 20:
      guard let object = entry.file.object, !entry.file.is2008 else { return .error(.einval) }
      if command == 20 { return .value(UInt64(object.seals)) }
      return addSeals(object, UInt32(truncatingIfNeeded: argument))
    default: return .error(.einval)
    }
  }

  /// F_GETLK, F_SETLK, F_SETLKW and F_SETLK_REMOTE, the three of FreeBSD 7, and F_KINFO, whose structure is not known.
  static let lockByteCounts: [Int32: Int] = [7: 24, 8: 24, 9: 24, 11: 32, 12: 32, 13: 32, 14: 32, 22: 4]

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
}
