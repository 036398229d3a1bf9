// Read-only views of descriptors and names, for invariant checkers. Nothing here changes state or allocates.

public import Memory
import Primitives

extension FileTable {
  /// Every descriptor in use and its file, ascending.
  public func inspectFiles(_ body: (_ descriptor: Int32, _ file: OpenFile) -> Void) {
    var position = 0
    while let descriptor = lowestUsed(from: position) {
      if let file = try? file(at: Int32(descriptor)) { body(Int32(descriptor), file) }
      position = descriptor + 1
    }
  }
}

extension FileServices {
  /// Every named object.
  public func inspectNames(_ body: (SharedMemoryObject) -> Void) {
    names.inspect(body)
  }
}

extension SharedMemoryNamespace {
  /// The objects of all buckets.
  borrowing func inspect(_ body: (SharedMemoryObject) -> Void) {
    for index in groups.indices where !groups[index].isNone {
      for slot in 0..<Int(SharedMemoryNamespace.groupBucketCount) {
        inspect(groupPool[groups[index]].roots[slot], body)
      }
    }
  }

  /// The objects of one tree, whose height is logarithmic.
  private borrowing func inspect(_ entry: Handle<NameEntry>, _ body: (SharedMemoryObject) -> Void) {
    if entry.isNone { return }
    inspect(entries[entry].left, body)
    body(entries[entry].object)
    inspect(entries[entry].right, body)
  }
}

extension SocketFile {
  /// The files of the messages that it has received and not given to anybody.
  public func inspectMessages(_ body: (OpenFile) -> Void) {
    let services = socket.services
    var record = socket.received.first
    while !record.isNone {
      if let control = services.chunks[record].control.borrowed.instance {
        for index in control.takenCount..<control.fileCount {
          if let file = control.file(at: index).instance { body(file) }
        }
      }
      record = services.chunks[record].nextRecord
    }
  }
}

extension PipeFile {
  /// The pages of its buffer.
  public var inspectedObject: VMObject { object }
}

extension PendingOpen {
  /// The file that the descriptor will get.
  public var inspectedFile: OpenFile { file }
}
