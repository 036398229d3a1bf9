// The operations of scripts on names, files and descriptors as system calls.

import ABI

extension KernelMachine {
  func performFileOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .sharedMemoryOpen(let name, let flags, let mode, let extra, let is2008):
      let arguments = [UInt64(flags), UInt64(mode), UInt64(extra), noise.next()]
      return try pathCall(number, is2008 ? .shmOpen : .shmOpen2, name, arguments)
    case .sharedMemoryUnlink(let name): return try pathCall(number, .shmUnlink, name, [])
    case .open(let path, let flags, let directory):
      guard let directory else { return try pathCall(number, .open, path, [UInt64(flags), 0o666]) }
      guard try prepare(number, Array(path.utf8) + [0], at: .path) else { return .ended }
      return try simpleCall(number, .openat, Self.word(directory), place(.path), UInt64(flags), 0o666)
    case .truncate(let descriptor, let length):
      return try simpleCall(number, .ftruncate, Self.word(descriptor), UInt64(bitPattern: length))
    case .status(let descriptor, let is2008):
      let observation = try simpleCall(
        number, is2008 ? .fstat2008 : .fstat, Self.word(descriptor), place(.output))
      try fetch(number, observation, .output, is2008 ? Stat2008.byteCount : Stat.byteCount)
      return observation
    case .changeMode(let descriptor, let mode):
      return try simpleCall(number, .fchmod, Self.word(descriptor), UInt64(mode))
    case .changeOwner(let descriptor, let user, let group):
      return try simpleCall(number, .fchown, Self.word(descriptor), Self.word(user), Self.word(group))
    case .read(let descriptor, let address, let byteCount, let offset):
      return try readCall(number, operation, descriptor, address, byteCount, offset)
    case .write(let descriptor, let address, let byteCount, let offset):
      return try simpleCall(
        number, offset == nil ? .write : .pwrite, Self.word(descriptor), address,
        UInt64(bitPattern: Int64(byteCount)), UInt64(bitPattern: offset ?? 0))
    case .seek(let descriptor, let offset, let origin):
      return try simpleCall(
        number, .lseek, Self.word(descriptor), UInt64(bitPattern: offset), Self.word(origin))
    default: return try performDescriptorOperation(operation, number)
    }
  }

  private func performDescriptorOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .close(let descriptor): return try simpleCall(number, .close, Self.word(descriptor))
    case .duplicate(let descriptor): return try simpleCall(number, .dup, Self.word(descriptor))
    case .duplicateTo(let descriptor, let target):
      return try simpleCall(number, .dup2, Self.word(descriptor), Self.word(target))
    case .fileControl(let descriptor, let command, let argument):
      return try simpleCall(number, .fcntl, Self.word(descriptor), Self.word(command), UInt64(bitPattern: argument))
    case .deviceControl(let descriptor, let request, let word): return try control(number, descriptor, request, word)
    case .synchronize(let descriptor, let onlyData):
      return try simpleCall(number, onlyData ? .fdatasync : .fsync, Self.word(descriptor))
    case .copyRange(let source, let target, let byteCount, let flags, let offsets):
      for (bit, pointer) in [(1, CallPointer.input), (2, .second)] where offsets & UInt8(bit) != 0 {
        guard try prepare(number, [UInt8](repeating: 0, count: 8), at: pointer) else { return .ended }
      }
      return try simpleCall(
        number, .copyFileRange, Self.word(source), offsets & 1 == 1 ? place(.input) : 0, Self.word(target),
        offsets & 2 == 2 ? place(.second) : 0, byteCount, UInt64(flags))
    case .descriptorTableSize: return try simpleCall(number, .getdtablesize)
    case .closeFrom(let lowest): return try simpleCall(number, .closefrom, Self.word(lowest))
    case .closeRange(let lowest, let highest, let flags):
      return try simpleCall(number, .closeRange, UInt64(lowest), UInt64(highest), UInt64(flags))
    default: return try performIdentityOperation(operation, number)
    }
  }

  private func control(
    _ number: Int, _ descriptor: Int32, _ request: UInt32, _ word: UInt32
  ) throws(Difference) -> Observation {
    let request = InputOutputControl(rawValue: request)
    let byteCount = request.parameterByteCount
    if request.copiesIn && byteCount <= 64 {
      let bytes = Self.bytes(of: word) + [UInt8](repeating: 0, count: max(4, byteCount) - 4)
      guard try prepare(number, Array(bytes.prefix(byteCount)), at: .input) else { return .ended }
    }
    let observation = try simpleCall(
      number, .ioctl, Self.word(descriptor), UInt64(request.rawValue),
      request.copiesIn ? place(.input) : place(.output))
    if request.copiesOut && !request.copiesIn { try fetch(number, observation, .output, byteCount) }
    return observation
  }
}
