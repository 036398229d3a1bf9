// Sockets that last in the reference model: pairs for packets (SOCK_SEQPACKET), whose packets stay, with the open files that came
// along, for as many steps as scripts like (spec sockets.md sections 4 and 8).

import ABI

/// One of a pair. It goes with its open file, and takes along what was sent to it.
final class ModelSocketEnd {
  /// What was sent to it and not received, in order.
  var packets: [ModelPacket] = []
  weak var peer: ModelSocketEnd?
}

/// What was sent at once.
struct ModelPacket {
  var bytes: [UInt8]
  /// The open files that came along (SCM_RIGHTS).
  var files: [ModelFile]
}

extension ReferenceModel {
  /// Every open file: those that descriptors refer to, and those that are only in packets.
  var openFiles: [ModelFile] {
    var seen: Set<ObjectIdentifier> = []
    var files: [ModelFile] = []
    for process in processes.values {
      for entry in process.descriptors.values where seen.insert(ObjectIdentifier(entry.file)).inserted {
        files.append(entry.file)
      }
    }
    var next = 0
    while next < files.count {
      for packet in files[next].socket?.packets ?? [] {
        for file in packet.files where seen.insert(ObjectIdentifier(file)).inserted { files.append(file) }
      }
      next += 1
    }
    return files
  }

  /// Whether a call is about a lasting socket, and scripts do not know what that says to it.
  func socketIsOpen(_ call: any SimulatedCall, _ process: ModelProcess) -> Bool {
    let isKnown =
      call is CloseCall || call is DuplicateCall || call is DuplicateToCall || call is CloseFromCall
      || call is CloseRangeCall || call is SendPacketCall || call is ReceivePacketCall
    if isKnown || !process.descriptors.values.contains(where: { $0.file.socket != nil }) { return false }
    if let control = call as? FileControlCall, [0, 1, 2, 10, 17, 18].contains(control.command) { return false }
    func isSocket(_ descriptor: Int32) -> Bool { process.file(descriptor)?.socket != nil }
    if let poll = call as? PollCall { return poll.entries.contains { isSocket($0.descriptor) } }
    if let select = call as? SelectCall { return (select.readable + select.writable).contains { isSocket(Int32($0)) } }
    return call.arguments.contains { argument in
      switch argument {
      case .int(let number): isSocket(number)
      case .register(let word): word < 64 && isSocket(Int32(word))
      case .path(let path): if case .descriptor(let number) = resolve(path) { isSocket(number) } else { false }
      default: false
      }
    }
  }

  // MARK: The calls

  /// socketpair(2)
  func makePair(_ process: ModelProcess, closesOnExec: Bool) throws(Difference) -> Expectation {
    if let error = socketError(process, count: 2, type: 5) { return .error(error) }
    if !reaches(process, .output, 8, write: true) { return .error(.efault) }
    let ends = [ModelSocketEnd(), ModelSocketEnd()]
    let told = try output(.output, 8)
    for (index, end) in ends.enumerated() {
      end.peer = ends[1 - index]
      let number = process.freeDescriptor()
      try check("an end", told, 4 * index, 4, UInt64(number))
      let file = ModelFile(kind: .socket(end), isReadable: true, isWritable: true)
      process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: closesOnExec)
    }
    return .value(0)
  }

  /// sendmsg(2)
  func send(
    _ process: ModelProcess, _ descriptor: Int32, _ bytes: [UInt8], _ descriptors: [Int32]
  ) -> Expectation {
    if !reaches(process, .input, 48, write: false) { return .error(.efault) }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let end = file.socket else { return .error(.enotsock) }
    guard let peer = end.peer else { return .error(.epipe) }
    let files = descriptors.compactMap { process.file($0) }
    if files.count < descriptors.count { return .error(.ebadf) }
    peer.packets.append(ModelPacket(bytes: bytes, files: files))
    return .value(UInt64(bytes.count))
  }

  /// recvmsg(2) with room for so many bytes, and so many of what came along.
  func receive(
    _ process: ModelProcess, _ descriptor: Int32, room: Int, controlRoom: Int, closesOnExec: Bool
  ) throws(Difference) -> Expectation {
    if !reaches(process, .input, 48, write: false) { return .error(.efault) }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let end = file.socket else { return .error(.enotsock) }
    var flags: UInt64 = closesOnExec ? 0x4_0080 : 0x80
    if end.packets.isEmpty {
      if end.peer != nil { return .error(.eagain) }
      try checkHeader(0, flags)
      return .value(0)
    }
    let packet = end.packets.removeFirst()
    var numbers: [Int32] = []
    for _ in packet.files {
      numbers.append(process.freeDescriptor(from: (numbers.last ?? -1) + 1))
      if Int(numbers.last ?? 0) >= descriptorLimit(process) { return .error(.emfile) }
    }
    let bytes = packet.bytes.prefix(room)
    if bytes.count < packet.bytes.count { flags |= 0x10 }
    let byteCount = packet.files.isEmpty ? 0 : 16 + (4 * packet.files.count + 7) / 8 * 8
    let fits = byteCount <= controlRoom
    if !fits { flags |= 0x20 }
    try checkHeader(fits ? byteCount : 0, flags)
    let told = try output(.output, 128)
    if !told.starts(with: bytes) { throw Difference("received \(told.prefix(bytes.count)), expected \(bytes)") }
    if fits && !packet.files.isEmpty {
      try check("cmsg_len", told, 64, 4, UInt64(16 + 4 * packet.files.count))
      try check("cmsg_level", told, 68, 4, 0xFFFF)
      try check("cmsg_type", told, 72, 4, 1)
      for (index, (number, file)) in zip(numbers, packet.files).enumerated() {
        try check("a descriptor", told, 80 + 4 * index, 4, UInt64(number))
        process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: closesOnExec)
      }
    }
    return .value(UInt64(bytes.count))
  }

  /// What the header says afterwards of what came along, and of the packet.
  private func checkHeader(_ controlByteCount: Int, _ flags: UInt64) throws(Difference) {
    let header = try output(.input, 48)
    try check("msg_controllen", header, 40, 4, UInt64(controlByteCount))
    try check("msg_flags", header, 44, 4, flags)
  }
}
