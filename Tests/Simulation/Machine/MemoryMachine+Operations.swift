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
    case .evict:
      _ = system.makeAvailable(system.managedFrameCount)
      return .value(0)
    case .systemCall(let made): return try perform(made.call, step.process, owner)
    default: return nil
    }
  }

  private func perform(_ call: any SimulatedCall, _ process: Int, _ owner: SpaceOwner) throws(Difference)
    -> Observation?
  {
    switch call {
    case is SharedMemoryOpenCall:
      var number: Int32 = 3
      while owner.descriptors[number] != nil { number += 1 }
      return attempt { () throws(Errno) in
        owner.descriptors[number] = ObjectOwner(try VMObject.make(hardware.system, .sharedMemory, pageCount: 0))
        return UInt64(number)
      }
    case let close as CloseCall:
      return owner.descriptors.removeValue(forKey: close.descriptor) == nil
        ? .error(Errno.ebadf.rawValue) : .value(0)
    case let truncate as TruncateCall:
      guard let file = owner.descriptors[truncate.descriptor] else { return .error(Errno.ebadf.rawValue) }
      return try self.truncate(file, truncate.length)
    case let map as MapCall: return self.map(owner, map)
    case let unmap as UnmapCall:
      return attempt { () throws(Errno) in
        guard let range = AddressRange(covering: VirtualAddress(unmap.address), byteCount: unmap.byteCount) else {
          throw .einval
        }
        try owner.space.unmap(range)
        return 0
      }
    case let protect as ProtectCall:
      return attempt { () throws(Errno) in
        guard let range = AddressRange(covering: VirtualAddress(protect.address), byteCount: protect.byteCount) else {
          throw .einval
        }
        try owner.space.protect(range, Protection(rawValue: protect.protection), maximum: nil)
        return 0
      }
    case let fork as ForkCall:
      return attempt { () throws(Errno) in
        let copy = SpaceOwner(try owner.space.fork())
        copy.descriptors = owner.descriptors
        processes[fork.child] = copy
        return UInt64(fork.child + 1)
      }
    case is ExitCall: return end(process)
    case let read as ReadCall:
      return try move(owner, read.descriptor, read.address, read.byteCount, read.offset ?? 0, writes: false)
    case let write as WriteCall:
      return try move(owner, write.descriptor, write.address, write.byteCount, write.offset ?? 0, writes: true)
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
        case .wait(let awaited): try wait(awaited)
        case .failed: return .error(Errno.eio.rawValue)
        }
      }
      var budget = 0
      var position: UInt64 = 0
      while !object.continueShrinking(toPageCount: UInt64((length + 4095) / 4096), &position, &budget) { budget = 16 }
      file.size = length
      return .value(0)
    }
    return attempt { () throws(Errno) in
      try object.resize(toPageCount: UInt64((length + 4095) / 4096))
      file.size = length
      return 0
    }
  }

  private func map(_ owner: SpaceOwner, _ call: MapCall) -> Observation {
    let flags = call.flags
    let system = hardware.system
    return attempt { () throws(Errno) in
      let isShared = flags & 1 != 0
      let reference: VMObjectReference?
      if flags & 0x1000 != 0 {
        reference =
          isShared ? try VMObject.make(system, .anonymous, pageCount: call.byteCount / 4096) : nil
      } else {
        guard let file = owner.descriptors[call.descriptor] else { throw .ebadf }
        reference = file.reference.copy()
      }
      let placement: Placement = flags & 0x4000 != 0 ? .exclusive : flags & 0x10 != 0 ? .fixed : .anywhere
      var request = MapRequest(
        address: placement == .anywhere ? Program.window : call.address, byteCount: call.byteCount,
        placement: placement,
        protection: Protection(rawValue: call.protection), maximum: .all, sharing: isShared ? .shared : .private,
        object: reference)
      request.offset = UInt64(call.offset / 4096)
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
        case .wait(let awaited): try wait(awaited)
        case .fault, .tooLong: return .error(Errno.efault.rawValue)
        }
      }
      done += count
    }
    return .value(UInt64(total))
  }
}
