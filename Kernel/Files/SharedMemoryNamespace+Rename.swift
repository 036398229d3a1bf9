// Giving an object another name (spec shm.md, 3.4): the changes of the table, each of which is complete or has changed nothing.
//
// What a name takes of the kernel's memory counts for who pays for the object that has it, so with the objects of two entries
// the amounts change hands too.

public import ABI
import Memory
import Primitives

extension SharedMemoryNamespace {
  /// Lets the objects of two entries change their names.
  mutating func exchange(_ first: Handle<NameEntry>, _ second: Handle<NameEntry>) {
    let object = entries[first].object
    let other = entries[second].object
    let difference = entries[second].kernelByteCount - entries[first].kernelByteCount
    entries[first].object = other
    entries[second].object = object
    other.nameEntry = first
    object.nameEntry = second
    object.vmObject.payer?.countKernelMemory(difference)
    other.vmObject.payer?.countKernelMemory(-difference)
  }

  /// Gives the object of an entry, to which `search` leads, the name of another object, which has none afterwards and is handed
  /// to the caller.
  mutating func move(
    _ source: Handle<NameEntry>, _ key: NameKey, _ search: inout NamePath, over target: Handle<NameEntry>,
    _ system: MemorySystem
  ) -> SharedMemoryObject {
    exchange(source, target)
    return remove(source, key, &search, system)
  }

  /// Gives the object of an entry, to which `search` leads, another name that nobody has. Returns whether memory for it could
  /// be had; if not, nothing has changed.
  mutating func move(
    _ entry: Handle<NameEntry>, _ key: NameKey, _ search: inout NamePath, to newKey: NameKey, _ newPath: Span<UInt8>,
    _ system: MemorySystem
  ) -> Bool {
    guard prepareGroup(of: newKey.hash, system), let rest = makeBlocks(newPath, system) else { return false }
    setRoot(of: key.hash, detach(entry, &search))
    let (oldRest, oldByteCount) = (entries[entry].rest, entries[entry].kernelByteCount)
    entries[entry].rename(newKey, newPath, rest)
    releaseBlocks(oldRest, system)
    setRoot(of: newKey.hash, insert(entry, newKey, newPath, under: root(of: newKey.hash)))
    let difference = entries[entry].kernelByteCount - oldByteCount
    if difference != 0 { entries[entry].object.vmObject.payer?.countKernelMemory(difference) }
    return true
  }
}

extension FileServices {
  /// Gives the object with one name another, in place of the object that has it, which loses it; or exchanges both.
  ///
  /// Throws EINVAL for a path that does not begin with a slash, ENOENT when nothing has the first name, EEXIST when something has
  /// the second and `flags` say that it keeps it, EACCES unless the caller may read and write both objects, ENOMEM when
  /// memory for the new name cannot be had. A name that stays what it is is not looked up.
  public func renameSharedMemory(
    from path: Span<UInt8>, to newPath: Span<UInt8>, _ flags: SharedMemoryRenameFlags, _ caller: Credentials
  ) throws(Errno) {
    guard newPath.count > 0 && newPath[0] == UInt8(ascii: "/") else { throw .einval }
    if path.isSame(as: newPath) { return }
    let (key, newKey) = (NameKey(path), NameKey(newPath))
    var search = NamePath()
    guard let entry = names.find(key, path, &search) else { throw .enoent }
    guard let replaced = names.lookup(newKey, newPath) else {
      try BackReference(names.entries[entry].object).tryBorrow { object throws(Errno) in
        try object.ownership.check([.read, .write], by: caller)
        if let payer = object.vmObject.payer, !payer.mayMakeKernelMemory { throw .enomem }
      }
      guard names.move(entry, key, &search, to: newKey, newPath, memory) else { throw .enomem }
      return
    }
    let other = replaced.borrow { $0.nameEntry }
    guard !flags.contains(.noReplace) else { throw .eexist }
    try names.entries[entry].object.ownership.check([.read, .write], by: caller)
    try names.entries[other].object.ownership.check([.read, .write], by: caller)
    if flags.contains(.exchange) {
      names.exchange(entry, other)
    } else {
      // Dropped here, when the table is in order again.
      _ = names.move(entry, key, &search, over: other, memory)
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether both hold the same bytes.
  fileprivate func isSame(as other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}
