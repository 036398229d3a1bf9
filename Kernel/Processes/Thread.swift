// A thread: its registers, and, while it is parked in a call, everything the call has resolved so far.
//
// Invariant: a thread without a continuation goes on in ring 3 when it is picked; one with a continuation goes on with
// that first.

public import ABI
public import Files
public import Memory
public import Primitives

/// A thread of a process.
public final class Thread: Nameable {
  /// The place in the table of threads, which is also its number in the scheduler.
  public let slot: ThreadSlot
  /// The thread identifier of thr_self(2).
  public let identifier: Int32
  /// The process it belongs to.
  public let process: ProcessSlot
  /// The frame with registers and call buffer.
  public let record: Handle<ThreadRecord>
  /// The same, to be reached without the pool.
  public let frame: PinnedRecord<ThreadRecord>
  /// What remains of the call, or of the end of the process.
  public var continuation = Continuation.none
  /// Where a call that has done nothing yet stands in line, if it does.
  public var place: TransferHold?
  /// Bytes of the path or structure of the call at the front of the buffer.
  public var stagedByteCount = 0
  /// Where to wait before the call begins anew, when that is what its handler answers.
  public var wanted = Wait.frames
  /// Until when to wait at most, in nanoseconds since boot, when a handler answers that there is such a time.
  public var deadlineNanoseconds: UInt64 = 0
  /// A frame that must stay until the thread has had its turn, or `.none`.
  public var awaitedFrame = FrameNumber.none
  /// Whether the thread has called or faulted since it was given the processor, so it has had its turn.
  public var hasRun = false
  /// The call that was shown as unfinished (kernel option `trace`): one more than the place of its declaration; 0: none.
  public var tracedCall: UInt16 = 0
  /// Where the arguments of the call lie.
  public private(set) var arguments: PinnedRecord<ArgumentRegisters>
  /// Units of what its calls left to be torn down that the thread works off before it goes on.
  public var teardownDebt = 0
  /// Whether the thread is ready but left out of the run queue because its process is stopped.
  public internal(set) var isSuspended = false
  /// Whether the thread ends as soon as its call has stored its result.
  public internal(set) var isEnding = false
  /// Whether another thread has woken it (thr_wake(2)) and thr_suspend(2) has not seen that yet.
  public var hasWake = false
  /// Whether it has said itself that its next sleep is to be interrupted (thr_wake(2) of its own identifier).
  public var hasOwnWake = false
  /// What it has of its own about signals.
  public var signals = ThreadSignals()
  /// Its neighbours among the threads of the process.
  var next = ThreadSlot.none
  var previous = ThreadSlot.none

  init(
    slot: ThreadSlot, identifier: Int32, process: ProcessSlot, record: Handle<ThreadRecord>, in pool: Pool<ThreadRecord>
  ) {
    self.slot = slot
    self.identifier = identifier
    self.process = process
    self.record = record
    frame = pool.pin(record)
    arguments = frame.part(ArgumentRegisters.self, atByteOffset: 0)
  }

  /// The arguments of the call are in the registers.
  @inline(__always)
  public func takeArgumentsFromRegisters() { arguments = frame.part(ArgumentRegisters.self, atByteOffset: 0) }

  /// The arguments of the call are in the registers, but shifted by one, because the first is the number of the call that is
  /// meant; and the sixth is this one.
  public func takeShiftedArguments(sixth: UInt64) {
    let context = frame.value.context
    frame.value.indirectArguments.rdi = context.rsi
    frame.value.indirectArguments.rsi = context.rdx
    frame.value.indirectArguments.rdx = context.r10
    frame.value.indirectArguments.r10 = context.r8
    frame.value.indirectArguments.r8 = context.r9
    frame.value.indirectArguments.r9 = sixth
    arguments = frame.part(ArgumentRegisters.self, atByteOffset: ThreadRecord.indirectArgumentsOffset)
  }

  /// What `struct thr_param` at the front of the buffer says.
  public var stagedParameters: ThreadParameters {
    frame.part(ThreadParameters.self, atByteOffset: ThreadRecord.bufferOffset).value
  }

  /// A structure at an offset of the buffer.
  @inline(__always)
  public func staged<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> PinnedRecord<Value> {
    frame.part(Value.self, atByteOffset: ThreadRecord.bufferOffset + offset)
  }

  /// The `ucontext_t` at an offset of the buffer.
  @inline(__always)
  public func stagedContext(at offset: Int) -> PinnedRecord<UserContextRecord> {
    staged(UserContextRecord.self, at: offset)
  }

  /// The first 512 bytes of the floating point area.
  @inline(__always)
  public var legacyFloatingPoint: PinnedRecord<LegacyFloatingPoint> {
    frame.part(LegacyFloatingPoint.self, atByteOffset: ThreadContext.floatingPointOffset)
  }

  /// Where the buffer lies.
  @inline(__always)
  public var bufferAddress: PhysicalAddress { record.address + UInt64(ThreadRecord.bufferOffset) }

  /// Where the floating point area lies.
  @inline(__always)
  public var floatingPointAddress: PhysicalAddress { record.address + UInt64(ThreadContext.floatingPointOffset) }

  /// Takes the upper halves of the vector registers from what is staged of extended state, which has them.
  public func takeUpperHalves() {
    let header = 64
    frame.part(UpperHalves.self, atByteOffset: ThreadContext.floatingPointOffset + 512 + header).value =
      frame.part(UpperHalves.self, atByteOffset: ThreadRecord.extendedStateOffset + header).value
  }

  /// Nanoseconds for which it had the processor.
  public var nanoseconds: UInt64 { frame.value.attributes.usage.nanoseconds }

  /// Takes what remains of the call; nothing does then.
  @inline(__always)
  public func takeContinuation() -> Continuation {
    var taken = Continuation.none
    swap(&taken, &continuation)
    return taken
  }

  /// The registers of ring 3.
  @inline(__always)
  public var context: ThreadContext {
    @inline(__always)
    _read { yield frame.value.context }
    @inline(__always)
    _modify { yield &frame.value.context }
  }
}
