// kinfo_file: what sysctl(3) and fcntl(2) tell of an open file or a name (FreeBSD's sys/user.h; spec abi.md, "kinfo_file").

/// What an open file is (KF_TYPE_*).
public enum FileInformationType: UInt32, Sendable {
  /// KF_TYPE_VNODE
  case node = 1
  /// KF_TYPE_SOCKET
  case socket = 2
  /// KF_TYPE_PIPE
  case pipe = 3
  /// KF_TYPE_KQUEUE
  case queue = 5
  /// KF_TYPE_SHM
  case sharedMemory = 8
}

/// What a node is (KF_VTYPE_*).
public enum NodeInformationType: UInt32, Sendable {
  /// KF_VTYPE_VREG
  case regular = 1
  /// KF_VTYPE_VDIR
  case directory = 2
  /// KF_VTYPE_VCHR
  case device = 4
}

/// What comes before the path in a kinfo_file. As it is exported, the record ends behind the path's NUL, rounded up to 8 bytes.
public struct FileInformation: Sendable {
  /// The structure up to kf_path.
  public private(set) var bytes = [368 of UInt8](repeating: 0)

  /// Where kf_path begins.
  public static let pathOffset = 368
  /// Bytes of the whole structure, with room for the longest path (KINFO_FILE_SIZE).
  public static let wholeByteCount = 1392
  /// kf_fd of what is no descriptor: KF_FD_TYPE_CWD, KF_FD_TYPE_ROOT, KF_FD_TYPE_TEXT.
  public static let currentDirectory: Int32 = -1
  /// KF_FD_TYPE_ROOT
  public static let rootDirectory: Int32 = -2
  /// KF_FD_TYPE_TEXT
  public static let program: Int32 = -5
  /// KF_FLAG_READ
  public static let readFlag: UInt32 = 1

  /// The bytes of a record with a path of so many.
  public static func byteCount(pathByteCount: Int) -> Int { (pathOffset + pathByteCount + 1 + 7) & ~7 }

  /// What is said of every file. How many references it has is not known: kf_ref_count is -1.
  public init(_ type: FileInformationType, descriptor: Int32, flags: UInt32, offset: Int64) {
    bytes.store(type.rawValue, at: 4)
    bytes.store(descriptor, at: 8)
    bytes.store(Int32(-1), at: 12)
    bytes.store(flags, at: 16)
    bytes.store(offset, at: 24)
  }

  /// A name of shared memory, of which nobody need have a descriptor.
  public init(sharedMemoryMode mode: UInt16, size: Int64) {
    bytes.store(FileInformationType.sharedMemory.rawValue, at: 4)
    setSharedMemory(mode: mode, size: size)
  }

  /// kf_structsize
  public mutating func setByteCount(_ byteCount: Int) { bytes.store(UInt32(byteCount), at: 0) }

  /// kf_cap_rights
  public mutating func setRights(_ rights: CapabilityRights) {
    bytes.store(rights.words.0, at: 344)
    bytes.store(rights.words.1, at: 352)
  }

  /// kf_file of shared memory: kf_file_size and kf_file_mode.
  public mutating func setSharedMemory(mode: UInt16, size: Int64) {
    bytes.store(size, at: 312)
    bytes.store(mode, at: 328)
  }

  /// kf_file of a node, all of it.
  public mutating func setNode(_ type: NodeInformationType, _ status: Stat) {
    bytes.store(type.rawValue, at: 32)
    bytes.store(status.linkCount, at: 280)
    bytes.store(status.device, at: 288)
    bytes.store(status.representedDevice, at: 296)
    bytes.store(status.inode, at: 304)
    setSharedMemory(mode: status.mode.rawValue, size: status.size)
    isValid()
  }

  /// kf_pipe: numbers that tell an end and its other end from all others, and the bytes in it.
  public mutating func setPipe(number: UInt64, peer: UInt64, byteCount: UInt32) {
    bytes.store(number, at: 304)
    bytes.store(peer, at: 312)
    bytes.store(byteCount, at: 320)
    isValid()
  }

  /// kf_sock, but for its names: numbers that tell a socket and the one that it is connected to from all others, and the bytes
  /// that wait in both directions.
  public mutating func setSocket(
    type: Int32, number: UInt64, peer: UInt64, sendState: UInt16, receiveState: UInt16, sent: UInt32, received: UInt32
  ) {
    bytes.store(sent, at: 32)
    bytes.store(Int32(1), at: 36)
    bytes.store(type, at: 40)
    bytes.store(number, at: 304)
    bytes.store(peer, at: 320)
    bytes.store(sendState, at: 328)
    bytes.store(receiveState, at: 330)
    bytes.store(received, at: 332)
    isValid()
  }

  /// A byte of the name of a socket (kf_sa_local), or of the one that it is connected to (kf_sa_peer); the first two are the
  /// length and the family.
  public mutating func setNameByte(ofPeer: Bool, _ index: Int, _ byte: UInt8) {
    bytes[(ofPeer ? 176 : 48) + index] = byte
  }

  /// kf_kqueue: a number that tells it from all others, how many events are ready, and its state.
  public mutating func setQueue(number: UInt64, count: Int32) {
    bytes.store(number, at: 304)
    bytes.store(count, at: 312)
    isValid()
  }

  /// KF_ATTR_VALID
  private mutating func isValid() { bytes.store(UInt16(1), at: 336) }
}
