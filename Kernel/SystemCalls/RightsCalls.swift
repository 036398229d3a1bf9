// What comes with a message (spec sockets.md sections 6 and 8): what becomes descriptors (SCM_RIGHTS), and who sent it and when.
//
// The memory that is to be told of them is made writable before there are any, so that a fault finds nothing installed: what was
// reachable at the beginning of an event is at its end.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Bytes of descriptors that are staged at once.
  private static let stagedByteCount = 512

  /// Gives the files that came with a message descriptors, and stores the control messages that name them. What does not fit is
  /// closed (MSG_CTRUNC). Returns how many bytes were stored; nil when the call has to wait for what the thread wants.
  ///
  /// Throws EMFILE when there are not enough descriptors, EFAULT; then everything that came with the message is closed.
  func install(_ control: SocketControl, of place: SocketPlace, _ pending: PendingMessage) throws(Errno) -> Int? {
    let room = pending.header.control == 0 ? 0 : Int(pending.header.controlByteCount)
    let (partCount, byteCount) = partsThatFit(control, room)
    var isReachable = true
    for index in 0..<2 {
      let address = index == 0 ? pending.header.name : pending.header.control
      let wanted = index == 0 ? min(Int(pending.header.nameByteCount), place.nameByteCount) : byteCount
      if address == 0 || wanted == 0 { continue }
      switch space.makeWritable(at: VirtualAddress(address), byteCount: wanted) {
      case .complete: break
      case .wait(let awaited):
        thread.wanted = awaited
        return nil
      case .fault, .tooLong: isReachable = false
      }
    }
    let table = self.table
    try table.makeRoom(for: control.fileCount, limited: control.hasLimits)
    defer { table.endRoom(for: control.fileCount) }
    guard isReachable else { throw .efault }
    if partCount < control.partCount { place.isControlCut() }
    let closesOnExec = MessageFlags(rawValue: pending.header.flags).contains(.closeOnExec)
    var position = pending.header.control
    for part in 0..<partCount {
      let kind = control.kind(ofPart: part)
      if kind == .rights {
        try store(control, count: control.fileCount(ofPart: part), at: position, in: table, closesOnExec)
      } else {
        try store(control, kind, at: position)
      }
      position += UInt64(space(ofPart: part, control))
    }
    return byteCount
  }

  /// How many control messages fit, each as a whole, and the bytes that they take.
  private func partsThatFit(_ control: SocketControl, _ room: Int) -> (Int, Int) {
    var byteCount = 0
    for part in 0..<control.partCount {
      let space = space(ofPart: part, control)
      if byteCount + space > room { return (part, byteCount) }
      byteCount += space
    }
    return (control.partCount, byteCount)
  }

  /// Bytes that a control message takes in the program's memory.
  private func space(ofPart part: Int, _ control: SocketControl) -> Int {
    let kind = control.kind(ofPart: part)
    return ControlMessageHeader.space(
      kind == .rights ? 4 * control.fileCount(ofPart: part) : control.payloadByteCount(of: kind))
  }

  /// Stores the header of a control message with so many bytes of payload: what is between its members is zero.
  @inline(__always)
  func storeHeader(_ type: UInt32, payloadByteCount: Int, at place: PhysicalAddress) {
    let byteCount = UInt64(truncatingIfNeeded: ControlMessageHeader.payloadOffset &+ payloadByteCount)
    let words: [2 of UInt64] = [byteCount | UInt64(SocketLevel.socket) << 32, UInt64(type)]
    kernel.memory.physical.store(bytesOf: words, at: place)
  }

  /// Stores a control message that tells who sent the message, or when.
  private func store(_ control: SocketControl, _ kind: SocketControlKind, at address: UInt64) throws(Errno) {
    let byteCount = control.payloadByteCount(of: kind)
    let space = ControlMessageHeader.space(byteCount)
    zero(space)
    storeHeader(kind.type, payloadByteCount: byteCount, at: thread.bufferAddress)
    thread.frame.value.buffer.withMutableBytes { bytes in
      control.encode(kind, into: &bytes, at: ControlMessageHeader.payloadOffset)
    }
    try putStaged(space, at: address)
  }

  /// Installs the files of a control message and stores it.
  private func store(
    _ control: SocketControl, count: Int, at address: UInt64, in table: FileTable, _ closesOnExec: Bool
  ) throws(Errno) {
    storeHeader(ControlMessageHeader.rights, payloadByteCount: 4 * count, at: thread.bufferAddress)
    var (staged, stored) = (ControlMessageHeader.payloadOffset, 0)
    try control.install(count: count, in: table, closeOnExec: closesOnExec) { descriptor throws(Errno) in
      stage(descriptor, at: staged)
      staged += 4
      if staged < SystemCall.stagedByteCount { return }
      try putStaged(staged, at: address + UInt64(stored))
      stored += staged
      staged = 0
    }
    if staged % 8 != 0 {
      stage(UInt32(0), at: staged)
      staged += 4
    }
    if staged > 0 { try putStaged(staged, at: address + UInt64(stored)) }
  }

  private func putStaged(_ byteCount: Int, at address: UInt64) throws(Errno) {
    guard try put(UserRange(start: VirtualAddress(address), byteCount: byteCount)) else { throw .efault }
  }
}
