// What is told of an open file (fcntl(2) with F_KINFO, sysctl kern.proc.filedesc): FreeBSD's fill_kinfo, by type.

public import ABI
public import Memory
public import Primitives

extension FileTable {
  /// What is told of an open descriptor, and its path, at the front of the buffer, whose length is returned with it.
  ///
  /// Throws EBADF when it is not open.
  public func information(
    of descriptor: Int32, _ path: inout [1024 of UInt8]
  ) throws(Errno) -> (FileInformation, pathByteCount: Int) {
    let file = try file(at: descriptor)
    var information = FileInformation(
      file.informationType, descriptor: descriptor, flags: file.flags.informationFlags, offset: file.offset)
    information.setRights(limits(of: descriptor)?.rights ?? .all)
    let pathByteCount = file.describe(&information, &path)
    return (information, pathByteCount)
  }
}

extension FileServices {
  /// What is told of the file that a process executes, of its root, and of its current directory, which is the root.
  public func information(
    ofProgramAt start: PhysicalAddress, _ path: inout [1024 of UInt8]
  ) -> (FileInformation, pathByteCount: Int)? {
    guard let program = program(at: start) else { return nil }
    var information = FileInformation(
      .node, descriptor: FileInformation.program, flags: FileInformation.readFlag, offset: 0)
    information.setNode(.regular, status(of: program))
    return (information, program.stagePath(&path) - 1)
  }

  /// The same of the root.
  ///
  /// - Parameter descriptor: as what it is told of.
  public func informationOfRoot(
    as descriptor: Int32, _ path: inout [1024 of UInt8]
  ) -> (FileInformation, pathByteCount: Int) {
    var information = FileInformation(.node, descriptor: descriptor, flags: FileInformation.readFlag, offset: 0)
    information.setNode(.directory, status(ofDirectory: .root))
    path[0] = UInt8(ascii: "/")
    return (information, 1)
  }
}

extension FileFlags {
  /// KF_FLAG_READ, WRITE, APPEND, ASYNC, FSYNC, NONBLOCK and DIRECT.
  fileprivate var informationFlags: UInt32 {
    let bits: [7 of (of: UInt32, told: UInt32)] = [
      (1, 1), (2, 2), (0x8, 0x4), (0x40, 0x8), (0x80, 0x10), (0x4, 0x20), (0x1_0000, 0x40),
    ]
    var told: UInt32 = 0
    for index in bits.indices where rawValue & bits[index].of != 0 { told |= bits[index].told }
    return told
  }
}

/// Puts a text at the front of a path's buffer. Returns its length.
func put(_ text: String, into path: inout [1024 of UInt8], at start: Int = 0) -> Int {
  var count = start
  for byte in text.utf8 where count < path.count {
    path[count] = byte
    count += 1
  }
  return count
}

extension SharedMemoryFile2008 {
  /// The path is that of the name, while there is one.
  func describeObject(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    information.setSharedMemory(mode: object.ownership.mode.union(.regularFile).rawValue, size: object.size)
    return fileServices.copyPath(of: object, into: &path)
  }
}

extension FileServices {
  /// Copies the path of an object's name, if it has one, to the front of a buffer. Returns its length.
  func copyPath(of object: SharedMemoryObject, into path: inout [1024 of UInt8]) -> Int {
    guard object.isNamed else { return 0 }
    names.copyPath(of: object.nameEntry, into: &path)
    return Int(names.entries[object.nameEntry].length)
  }

  /// What the file has to say of itself that an object shows; nil unless it shows one.
  public func status(of object: VMObject) -> Stat? {
    guard object.kind == .file, let content = object.holder.instance as? BootFileContent else { return nil }
    return status(of: content)
  }

  /// The path of the object that a mapping shows, if it is shared memory or a file.
  public func copyPath(of object: VMObject, into path: inout [1024 of UInt8]) -> Int {
    if object.kind == .file, let content = object.holder.instance as? BootFileContent {
      return content.stagePath(&path) - 1
    }
    guard let holder = object.holder.instance as? SharedMemoryObject else { return 0 }
    return copyPath(of: holder, into: &path)
  }
}

extension Socket {
  /// Both names, and what waits in either direction. (A socket's path is the name of its domain.)
  func describe(_ information: inout FileInformation) {
    var sendState: UInt16 = 0
    var receiveState: UInt16 = 0
    if has(.cannotSend) { sendState |= 0x10 }
    if has(.cannotReceive) { receiveState |= 0x20 }
    information.setSocket(
      type: Int32(type.rawValue), number: inode, peer: peer.instance?.inode ?? 0, sendState: sendState,
      receiveState: receiveState, sent: UInt32(clamping: peer.instance?.received.dataByteCount ?? 0),
      received: UInt32(clamping: received.dataByteCount))
    put(name, ofPeer: false, into: &information)
    if let peer = peer.instance { put(peer.name, ofPeer: true, into: &information) }
  }

  private func put(_ name: SocketName?, ofPeer: Bool, into information: inout FileInformation) {
    guard let name else { return }
    information.setNameByte(ofPeer: ofPeer, 0, UInt8(name.addressByteCount))
    information.setNameByte(ofPeer: ofPeer, 1, 1)
    for index in 0..<name.pathByteCount { information.setNameByte(ofPeer: ofPeer, 2 + index, name.byte(at: index)) }
  }
}
