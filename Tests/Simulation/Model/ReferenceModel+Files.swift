// Descriptors and fcntl (spec shm.md 3.24, fd.md sections 3 and 4), naively.
import ABI

extension ReferenceModel {
  /// Descriptors at or above this are refused.
  func descriptorLimit(_ process: ModelProcess) -> Int {
    min(Int(clamping: process.limits[8].soft), facts.maximumFilesPerProcess)
  }

  /// Open file descriptions that exist.
  var openFileCount: Int {
    var seen: Set<ObjectIdentifier> = []
    for process in processes.values {
      for entry in process.descriptors.values { seen.insert(ObjectIdentifier(entry.file)) }
    }
    return seen.count
  }

  /// ENFILE and EMFILE of a call that makes an open file (spec fd.md section 3: in this order).
  func fileLimitError(_ process: ModelProcess) -> Errno? {
    if facts.maximumFileCount < Int.max {
      let count = openFileCount + 1
      let unprivileged = facts.maximumFileCount - facts.maximumFileCount / 20
      if count >= facts.maximumFileCount || count >= unprivileged && process.credentials.effectiveUser != 0 {
        return .enfile
      }
    }
    return Int(process.freeDescriptor()) >= descriptorLimit(process) ? .emfile : nil
  }

  func close(_ process: ModelProcess, _ descriptor: Int32) -> Expectation {
    process.descriptors.removeValue(forKey: descriptor) == nil ? .error(.ebadf) : .value(0)
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
      entry.file.statusFlags = UInt32(truncatingIfNeeded: argument) & (ModelFile.openFlags | ModelFile.readAhead)
      return entry.file.is2008 ? .error(.eopnotsupp) : .value(0)
    case 5, 6: return .error(entry.file.is2008 ? .eopnotsupp : .enotty)
    case 11, 12, 13, 15, 16: return .error(.ebadf)
    case 19, 20:
      guard let object = entry.file.object, !entry.file.is2008 else { return .error(.einval) }
      if command == 20 { return .value(UInt64(object.seals)) }
      return addSeals(object, UInt32(truncatingIfNeeded: argument))
    default: return .error(.einval)
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

  /// No file here is a vnode (spec shm.md section 3.30).
  func synchronize(_ process: ModelProcess, _ descriptor: Int32) -> Expectation {
    .error(process.file(descriptor) == nil ? .ebadf : .einval)
  }
}
