// Open files and descriptors of the reference model.

/// What an open file reaches.
enum ModelFileKind {
  case sharedMemory(ModelObject, is2008: Bool)
  case console
  case null
  case zero
  case full
  case random
  /// A file of /bin with its content.
  case program([UInt8])
  case pipe(ModelPipeEnd)
  case socket(ModelSocketEnd)

  /// What fstat(2) tells files apart by, where they are no shared memory; nil where they are.
  var name: String? {
    switch self {
    case .sharedMemory, .pipe, .socket: nil
    case .console: "console"
    case .null: "null"
    case .zero: "zero"
    case .full: "full"
    case .random: "random"
    case .program(let content): content == Program.image ? "script" : "notes"
    }
  }
}

/// Owner, group and mode of a device.
struct ModelOwnership {
  var user: UInt32 = 0
  var group: UInt32 = 0
  var mode: UInt16 = 0o666
}

/// What fstat(2) told of a file that is no shared memory, and must tell again: it never changes. The layout of 2008 shows the
/// lower halves only.
struct ModelFileIdentity: Equatable {
  var device: UInt64
  var inode: UInt64
  var represented: UInt64
  /// Seconds and nanoseconds of the four times.
  var times: [UInt64]

  var lowerHalf: ModelFileIdentity {
    ModelFileIdentity(
      device: device & 0xFFFF_FFFF, inode: inode & 0xFFFF_FFFF, represented: represented & 0xFFFF_FFFF, times: times)
  }
}

/// An open file description: shared by dup and fork.
final class ModelFile {
  let kind: ModelFileKind
  let isReadable: Bool
  let isWritable: Bool
  /// O_NONBLOCK, O_APPEND and so on: what F_SETFL can change.
  var statusFlags: UInt32 = 0
  /// The flags that open(2) leaves; F_SETFL can change these and the read-ahead bit.
  static let openFlags: UInt32 = 0x101_00CC
  static let readAhead: UInt32 = 0x200
  var offset: Int64 = 0

  init(kind: ModelFileKind, isReadable: Bool, isWritable: Bool) {
    self.kind = kind
    self.isReadable = isReadable
    self.isWritable = isWritable
  }

  var object: ModelObject? {
    if case .sharedMemory(let object, _) = kind { return object }
    return nil
  }

  var pipe: ModelPipeEnd? {
    if case .pipe(let end) = kind { return end }
    return nil
  }

  var socket: ModelSocketEnd? {
    if case .socket(let end) = kind { return end }
    return nil
  }

  /// Neither a device nor a file of /bin, which FreeBSD has as vnodes.
  var isObject: Bool { object != nil || pipe != nil || socket != nil }

  /// Whether it has no offset.
  var isStream: Bool { is2008 || isConsole || pipe != nil || socket != nil }

  /// A device, which has an owner and a mode under its name.
  var isDevice: Bool {
    switch kind {
    case .sharedMemory, .program, .pipe, .socket: false
    default: true
    }
  }

  var isConsole: Bool {
    if case .console = kind { return true }
    return false
  }

  /// Memory that is no object cannot tell anybody that something has come (null(4), zero(4)).
  var refusesAsynchronous: Bool {
    switch kind {
    case .null, .zero, .full: true
    default: false
    }
  }

  var is2008: Bool {
    if case .sharedMemory(_, is2008: true) = kind { return true }
    return false
  }
}

/// One slot of a descriptor table.
struct ModelDescriptor {
  var file: ModelFile
  var closesOnExec: Bool
}
