// Open files and descriptors of the reference model.

/// What an open file reaches.
enum ModelFileKind {
  case sharedMemory(ModelObject, is2008: Bool)
  case console
  case null
  case zero
  /// A file of /bin with its content.
  case program([UInt8])
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

  var isConsole: Bool {
    if case .console = kind { return true }
    return false
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
