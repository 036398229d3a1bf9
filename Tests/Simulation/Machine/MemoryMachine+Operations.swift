// The operations on objects and mappings, as the layers above the memory system would perform them.

import ABI
import Memory
import Primitives

extension MemoryMachine {
  func perform(_ step: ScriptStep, _ owner: SpaceOwner) throws(Difference) -> Observation? {
    let system = hardware.system
    switch step.operation {
    case .load(let address, let byteCount):
      if try access(address, .read, step.process) != nil { return end(step.process) }
      return .bytes(try hardware.loadNow(address, byteCount: byteCount))
    case .store(let address, let byteCount, let pattern):
      if try access(address, .write, step.process) != nil { return end(step.process) }
      try hardware.storeNow(Operation.patternBytes(pattern, count: byteCount), at: address)
      return .value(0)
    case .sharedMemoryOpen:
      var number: Int32 = 3
      while owner.descriptors[number] != nil { number += 1 }
      return attempt { () throws(Errno) in
        owner.descriptors[number] = ObjectOwner(try VMObject.make(system, .sharedMemory, pageCount: 0))
        return UInt64(number)
      }
    case .close(let descriptor):
      return owner.descriptors.removeValue(forKey: descriptor) == nil ? .error(Errno.ebadf.rawValue) : .value(0)
    case .truncate(let descriptor, let length):
      guard let file = owner.descriptors[descriptor] else { return .error(Errno.ebadf.rawValue) }
      return try truncate(file, length)
    case .map(let address, let byteCount, let protection, let flags, let descriptor, let offset):
      return map(owner, address, byteCount, protection, flags, descriptor, offset)
    case .unmap(let address, let byteCount):
      return attempt { () throws(Errno) in
        guard let range = AddressRange(covering: VirtualAddress(address), byteCount: byteCount) else { throw .einval }
        try owner.space.unmap(range)
        return 0
      }
    case .protect(let address, let byteCount, let protection):
      return attempt { () throws(Errno) in
        guard let range = AddressRange(covering: VirtualAddress(address), byteCount: byteCount) else { throw .einval }
        try owner.space.protect(range, Protection(rawValue: protection), maximum: nil)
        return 0
      }
    case .fork(let child, _):
      return attempt { () throws(Errno) in
        let copy = SpaceOwner(try owner.space.fork())
        copy.descriptors = owner.descriptors
        processes[child] = copy
        return UInt64(child + 1)
      }
    case .exit: return end(step.process)
    case .read(let descriptor, let address, let byteCount, let offset):
      return try move(owner, descriptor, address, byteCount, offset ?? 0, writes: false)
    case .write(let descriptor, let address, let byteCount, let offset):
      return try move(owner, descriptor, address, byteCount, offset ?? 0, writes: true)
    case .evict:
      _ = system.makeAvailable(system.managedFrameCount)
      return .value(0)
    default: return nil
    }
  }

  private func attempt(_ body: () throws(Errno) -> UInt64) -> Observation {
    do throws(Errno) { return .value(try body()) } catch { return .error(error.rawValue) }
  }

  private func end(_ number: Int) -> Observation {
    processes.removeValue(forKey: number)?.space.retire()
    return .ended
  }

  private func truncate(_ file: ObjectOwner, _ length: Int64) throws(Difference) -> Observation {
    let object = file.reference.object
    if length < file.size {
      beginning: while true {
        switch object.beginShrinking(toByteCount: UInt64(length)) {
        case .complete: break beginning
        case .wait(let channel): try wait(channel)
        case .failed: return .error(Errno.eio.rawValue)
        }
      }
      var budget = 0
      while !object.continueShrinking(toPageCount: UInt64((length + 4095) / 4096), &budget) { budget = 16 }
      file.size = length
      return .value(0)
    }
    return attempt { () throws(Errno) in
      try object.resize(toPageCount: UInt64((length + 4095) / 4096))
      file.size = length
      return 0
    }
  }

  private func map(
    _ owner: SpaceOwner, _ address: UInt64, _ byteCount: UInt64, _ protection: UInt32, _ flags: UInt32,
    _ descriptor: Int32, _ offset: Int64
  ) -> Observation {
    let system = hardware.system
    return attempt { () throws(Errno) in
      let isShared = flags & 1 != 0
      let reference: VMObjectReference?
      if flags & 0x1000 != 0 {
        reference =
          isShared ? try VMObject.make(system, .anonymous, pageCount: byteCount / 4096) : nil
      } else {
        guard let file = owner.descriptors[descriptor] else { throw .ebadf }
        reference = file.reference.copy()
      }
      let placement: Placement = flags & 0x4000 != 0 ? .exclusive : flags & 0x10 != 0 ? .fixed : .anywhere
      var request = MapRequest(
        address: placement == .anywhere ? Program.window : address, byteCount: byteCount, placement: placement,
        protection: Protection(rawValue: protection), maximum: .all, sharing: isShared ? .shared : .private,
        object: reference)
      request.offset = UInt64(offset / 4096)
      request.countsAsWritable = isShared && flags & 0x1000 == 0
      return try owner.space.map(request).raw
    }
  }

  /// pread and pwrite, page by page of the object.
  private func move(
    _ owner: SpaceOwner, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64, writes: Bool
  ) throws(Difference) -> Observation {
    guard let file = owner.descriptors[descriptor] else { return .error(Errno.ebadf.rawValue) }
    let total = Int(max(0, min(Int64(byteCount), file.size - offset)))
    var done = 0
    while done < total {
      let position = UInt64(offset) + UInt64(done)
      let count = min(total - done, Int(4096 - position % 4096))
      let place = VirtualAddress(address + UInt64(done))
      var progress = 0
      moving: while true {
        let outcome: UserCopyOutcome
        switch file.reference.object.page(at: position / 4096, for: writes ? .write : .read) {
        case .frame(let frame):
          let memory = PhysicalAddress(frame.address.raw + position % 4096)
          outcome =
            writes
            ? owner.space.copyIn(to: memory, byteCount: count, from: place, progress: &progress)
            : owner.space.copyOut(from: memory, byteCount: count, to: place, progress: &progress)
        case .absent: outcome = owner.space.zeroOut(to: place, byteCount: count, progress: &progress)
        case .wait(let channel): outcome = .wait(channel)
        case .failed: return .error(Errno.eio.rawValue)
        }
        switch outcome {
        case .complete: break moving
        case .wait(let channel): try wait(channel)
        case .fault, .tooLong: return .error(Errno.efault.rawValue)
        }
      }
      done += count
    }
    return .value(UInt64(total))
  }
}
