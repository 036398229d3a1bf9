// Shared memory objects of one page that programs find by a word which they share already, and not by a name: UMTX_OP_SHM of
// _umtx_op(2), in which a C library keeps locks between processes (spec signals.md section 3.4).
//
// Invariants
// - There is at most one object for a place. It is forgotten when it is destroyed, or when the object goes in which the place lies;
//   descriptors and mappings keep it alive beyond that.
// - Each is counted in the account that pays for its object (`keyedObjectCount`), with what its entry takes.
// - All entries for places in one object are in one bucket.

public import ABI
public import Memory
import Primitives

/// One object and its place.
final class KeyedObject: Nameable {
  let place: SharedPlace
  let object: SharedMemoryObject
  var next: KeyedObject?

  init(_ place: SharedPlace, _ object: SharedMemoryObject, next: KeyedObject?) {
    self.place = place
    self.object = object
    self.next = next
  }
}

/// The objects of a kernel that are found by a place.
public final class KeyedObjects: PlaceWatcher {
  private static let bucketCount = 1024
  private var buckets = [KeyedObject?](repeating: nil, count: KeyedObjects.bucketCount)
  /// Objects.
  public private(set) var count = 0

  private func bucket(_ objectNumber: UInt64) -> Int {
    Int(truncatingIfNeeded: objectNumber) & (KeyedObjects.bucketCount - 1)
  }

  func object(at place: SharedPlace) -> SharedMemoryObject? {
    var entry = buckets[bucket(place.objectNumber)]
    while let found = entry {
      if found.place.isSame(as: place) { return found.object }
      entry = found.next
    }
    return nil
  }

  func insert(_ object: SharedMemoryObject, at place: SharedPlace) {
    let bucket = bucket(place.objectNumber)
    buckets[bucket] = KeyedObject(place, object, next: buckets[bucket])
    count(object, 1)
  }

  private func count(_ object: SharedMemoryObject, _ number: Int) {
    count += number
    guard let account = object.vmObject.payer else { return }
    account.keyedObjectCount += number
    account.countKernelMemory(number * KernelMemoryCost.keyedObject)
  }

  /// Forgets the object at a place, and gives it.
  func remove(at place: SharedPlace) -> SharedMemoryObject? {
    removeFirst(place.objectNumber) { $0.isSame(as: place) }
  }

  /// Forgets all objects whose places were in an object that has gone.
  public override func placesEnded(_ objectNumber: UInt64) {
    while removeFirst(objectNumber, where: { $0.objectNumber == objectNumber }) != nil {}
  }

  /// Forgets all; for the end of a run.
  public func removeAll() {
    for bucket in buckets.indices {
      while let entry = buckets[bucket] {
        buckets[bucket] = entry.next
        count(entry.object, -1)
      }
    }
  }

  private func removeFirst(_ objectNumber: UInt64, where matches: (SharedPlace) -> Bool) -> SharedMemoryObject? {
    let bucket = bucket(objectNumber)
    var previous: KeyedObject?
    var entry = buckets[bucket]
    while let found = entry {
      if matches(found.place) {
        if let previous { previous.next = found.next } else { buckets[bucket] = found.next }
        count(found.object, -1)
        return found.object
      }
      previous = found
      entry = found.next
    }
    return nil
  }

  /// Calls `body` with each entry.
  func inspect(_ body: (KeyedObject) -> Void) {
    for bucket in buckets.indices {
      var entry = buckets[bucket]
      while let found = entry {
        body(found)
        entry = found.next
      }
    }
  }
}

extension FileServices {
  /// Gives the object at a place the lowest free descriptor, which execve(2) closes.
  ///
  /// - Parameters:
  ///   - creates: whether one is made if there is none.
  ///   - limit: how many the user may have.
  ///
  /// Throws ESRCH when there is none, ENOMEM when the user may have no more or memory cannot be had, ENFILE, EMFILE.
  public func openKeyedObject(
    at place: SharedPlace, creates: Bool, limit: Int64, _ caller: Credentials, into table: FileTable
  ) throws(Errno) -> Int32 {
    let object: SharedMemoryObject
    if let found = keyedObjects.object(at: place) {
      object = found
    } else {
      guard creates else { throw .esrch }
      guard caller.account.mayMakeKernelMemory, Int64(caller.account.keyedObjectCount) < limit else { throw .enomem }
      let ownership = Ownership(
        user: caller.effectiveUser, group: caller.effectiveGroup, mode: FileMode(rawValue: 0o600))
      object = try SharedMemoryObject(self, ownership, [], caller.account, pageCount: 1)
      keyedObjects.insert(object, at: place)
    }
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    table.fill(descriptor, SharedMemoryFile(object, [.read, .write]), closeOnExec: true)
    return descriptor
  }

  /// Forgets the object at a place, and marks it: whoever shows it can ask. Throws ESRCH when there is none.
  public func destroyKeyedObject(at place: SharedPlace) throws(Errno) {
    guard let object = keyedObjects.remove(at: place) else { throw .esrch }
    object.vmObject.isDestroyed = true
  }
}
