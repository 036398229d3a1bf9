// The edit lock: one change of the map at a time, also where it takes several events.
//
// An event runs to its end undisturbed, so a change that is complete in one event needs no lock: it only has to see that
// nobody is in the middle of another. Who is cut takes the lock, and gives it up with the end of its call, or of itself.
//
// Invariants
// - `editor` is the thread that is in the middle of changing, or copying (fork(2)), the map; 0 when there is none. It stops
//   only when the change is complete; when it dies, the lock goes with what remains of its call.
// - Meanwhile nobody else changes the map or adds translations: faults wait, and so do calls that reach user memory by the
//   fault path. The editor itself has none: it waits for free frames or its turn only. So nobody waits in a circle, and
//   whoever waits for the lock may hold what others wait for.

public import Primitives

extension AddressSpace {
  /// What a thread that wants to change the map has to wait on first; nil when nobody is in the middle of a change.
  @inline(__always)
  public var editWait: Wait? { editor == 0 ? nil : Wait(.editing(root: tables.root)) }

  /// A thread, by its identifier, is cut in the middle of a change. It may be so for the second time.
  public func beginEdit(by thread: Int32) {
    precondition(editor == 0 || editor == thread, "two changes of a map at a time")
    editor = thread
  }

  /// The change of a thread is complete, or what remained of it has been dropped. Nothing happens when it was not cut.
  @inline(__always)
  public func endEdit(by thread: Int32) {
    if editor == thread { endEdit() }
  }

  @inline(never)
  private func endEdit() {
    editor = 0
    system.wake(.editing(root: tables.root))
  }
}
