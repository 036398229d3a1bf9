// The values that cross the border between the kernel and the machine (or the simulation).

public import Primitives

/// A processor exception raised by ring 3.
public struct ProcessorException {
  /// The vector, 0 to 31.
  public let vector: UInt8
  /// The error code that the processor pushed, or 0.
  public let errorCode: UInt64
  /// CR2 for a page fault (vector 14), else 0. The faulting instruction is in the thread's context.
  public let address: UInt64
  /// For vector 16 the x87 status word, for vector 19 MXCSR, else 0.
  public let floatingPointStatus: UInt32

  /// Describes an exception.
  public init(vector: UInt8, errorCode: UInt64, address: UInt64, floatingPointStatus: UInt32 = 0) {
    self.vector = vector
    self.errorCode = errorCode
    self.address = address
    self.floatingPointStatus = floatingPointStatus
  }
}

/// What the machine does after an event.
public enum Next {
  /// Enter ring 3 with the thread context at this physical address. The address space is loaded and the floating point
  /// registers are the thread's; the machine loads the general registers and, if they differ from what is loaded, the fs and
  /// gs bases, which may have changed even though the context is the one of the last event. At `Kernel.nextLookNanoseconds` it
  /// handles a `timerTick`.
  case run(context: PhysicalAddress)
  /// Nothing can run: wait for an interrupt, at the latest until this time (nanoseconds since boot), then handle a `timerTick`.
  case idle(until: UInt64?)
  /// Long work goes on: let the interrupts in that are pending, each an event of its own, then call `next()` again.
  case again
  /// Process 1 is gone and everything has been taken down.
  case finished(ExitReport)
}

/// How the run ended.
public struct ExitReport {
  /// The wait status of process 1 (spec abi.md section 12); 0 after reboot(2) with RB_POWEROFF or RB_HALT.
  public var status: Int32
  /// Frames that are not free although nothing owns them any more, against the count before process 1.
  public var leakedFrameCount: Int
  /// Memory and file objects still alive, against the count before process 1.
  public var leakedObjectCount: Int
  /// Kernel heap bytes still allocated, against the count before process 1.
  public var leakedHeapByteCount: Int
  /// Swap blocks still taken.
  public var leakedSwapBlockCount: Int
  /// Whether an inspection found something wrong, or an event took more from the heap than it declares.
  public var hasViolation = false

  /// True when process 1 ended with status 0, nothing leaked and no inspection found anything.
  public var isClean: Bool { status == 0 && !hasLeaks && !hasViolation }
  /// True when anything was left behind.
  public var hasLeaks: Bool {
    leakedFrameCount != 0 || leakedObjectCount != 0 || leakedHeapByteCount != 0 || leakedSwapBlockCount != 0
  }

  /// A report of a status, with nothing leaked.
  public init(status: Int32) {
    self.status = status
    leakedFrameCount = 0
    leakedObjectCount = 0
    leakedHeapByteCount = 0
    leakedSwapBlockCount = 0
  }
}
