// What belongs to a processor, not to the kernel: who has it, what of them is in its registers, and since when it was charged
// to nobody. There is one today. What else is a processor's own is where it is used: the address space that it has loaded
// (`MemorySystem.loadedSpace`; `PageTables.processors` says the same from the other side), the ready threads (`Scheduler`).
//
// Invariants
// - `thread` and `process` are both empty or both named, and belong together; they change in `ProcessSystem.setCurrent` only.
// - `floatingPointContext` is the context of `floatingPointOwner`, whose floating point area says nothing meanwhile.

public import Primitives

/// One processor, as the processes see it.
public struct ProcessorState {
  /// The thread whose event is being handled; the table of threads owns it until `next()` ends it.
  public internal(set) var thread = BackReference<Thread>()
  /// The process of that thread.
  public internal(set) var process = BackReference<Process>()
  /// Set when the thread may not go on at once: a signal for it, the end of its turn, or a longer piece of work.
  public var needsAttention = false
  /// When the thread was charged last for the time that it used, in nanoseconds since boot.
  public internal(set) var chargedNanoseconds: UInt64 = 0
  /// Whether nobody has had the processor since the clock was looked at.
  var isIdle = true
  /// Whether the time since then was spent in the kernel, as far as one knows without looking at the clock at every entry.
  var isChargedAsSystem = false
  /// What its time was spent with.
  var times = ProcessorTimes()
  /// The thread whose floating point state is in the processor, or `.none`.
  var floatingPointOwner = ThreadSlot.none
  /// The address of its context.
  var floatingPointContext: UInt64 = 0
}
