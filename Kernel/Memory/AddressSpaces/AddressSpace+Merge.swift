// Neighbours that have become alike are one entry again (spec shm.md section 3.14; vm.md section 5, "insert"), so that what is
// protected and unprotected page by page, or mapped piece by piece, does not stay in pieces.
//
// Of two entries the first stays and grows; the second goes, with its reference to the object, and its charge moves.
// Nothing is looked at but the two of them, so a merge costs two ways through the tree. It needs no memory.
import ABI
import Primitives

extension AddressSpace {
  /// Lets an entry and the one behind it become one, if they touch and are alike.
  @inline(__always)
  func mergeWithNext(_ handle: Handle<MapEntry>) {
    let entry = system.entries.pin(handle)
    let next = entry.value.next
    if next.isNone { return }
    let other = system.entries.pin(next)
    if mayJoin(entry, other) { merge(handle, next) }
  }

  /// The same for an entry and the one in front of it.
  @inline(__always)
  func mergeWithPrevious(_ handle: Handle<MapEntry>, _ entry: PinnedRecord<MapEntry>) {
    let previous = entry.value.previous
    if previous.isNone { return }
    if mayJoin(system.entries.pin(previous), entry) { merge(previous, handle) }
  }

  /// What is looked at first, because it decides nearly always.
  @inline(__always)
  private func mayJoin(_ entry: PinnedRecord<MapEntry>, _ other: PinnedRecord<MapEntry>) -> Bool {
    guard entry.value.end == other.value.start, entry.value.protection == other.value.protection else { return false }
    let behind = other.value.objectReference
    return behind.isEmpty || behind == entry.value.objectReference
  }

  @inline(never)
  private func merge(_ handle: Handle<MapEntry>, _ next: Handle<MapEntry>) {
    let entry = system.entries.pin(handle)
    let other = system.entries.pin(next)
    guard joins(entry.value, other.value) else { return }
    cover(other.value, by: handle)
    entry.value.charge += other.value.charge
    // The gap in front of the entry behind both stays what it was.
    entry.value.end = other.value.end
    remove(next)
    count(entries: -1)
    _ = system.entries.take(next, system)
    lastFound = handle
  }

  /// Lets an entry in the map have the range of a new one right behind it, if that is alike. Returns whether it did; what
  /// was counted for the new one is counted for the old one then.
  @inline(__always)
  func extend(
    _ handle: Handle<MapEntry>, by new: borrowing MapEntry, before next: Handle<MapEntry>
  ) -> Bool {
    let entry = system.entries.pin(handle)
    guard entry.value.end == new.start, entry.value.protection == new.protection else { return false }
    return join(handle, new, before: next)
  }

  @inline(never)
  private func join(_ handle: Handle<MapEntry>, _ new: borrowing MapEntry, before next: Handle<MapEntry>) -> Bool {
    let entry = system.entries.pin(handle)
    guard joins(entry.value, new) else { return false }
    cover(new, by: handle)
    entry.value.charge += new.charge
    entry.value.end = new.end
    refreshGap(of: next)
    virtualByteCount += new.countedByteCount
    lastFound = handle
    mergeWithNext(handle)
    return true
  }

  /// Whether `other`, which begins where `entry` ends, could be a part of it.
  private func joins(_ entry: borrowing MapEntry, _ other: borrowing MapEntry) -> Bool {
    let shown = entry.objectReference
    let behind = other.objectReference
    guard behind.isEmpty || behind == shown, entry.isLike(other), entry.kind != .stackGap else { return false }
    guard let object = shown.instance else { return true }
    let end = entry.offset + entry.pageCount
    if !behind.isEmpty { return other.offset == end }
    // The memory behind has no object yet: that of the entry can be its (FreeBSD's vm_object_coalesce), if nobody else
    // sees it and it holds nothing there.
    guard entry.sharing == .private, !entry.needsCopy, object.isSeenOnce, object.backingObject == nil else {
      return false
    }
    guard let page = object.pages.next(from: end, system.indexNodes) else { return true }
    return page.index >= end + other.pageCount
  }

  /// Makes the object of an entry large enough for what is about to join the entry.
  private func cover(_ other: borrowing MapEntry, by handle: Handle<MapEntry>) {
    guard other.objectReference.isEmpty, let object = system.entries[handle].objectOrNil else { return }
    let end = system.entries[handle].offset + system.entries[handle].pageCount + other.pageCount
    object.pageCount = max(object.pageCount, end)
  }
}
