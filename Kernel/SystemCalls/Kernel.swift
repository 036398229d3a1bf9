// The root of the portable kernel: a deterministic machine that answers events. The machine calls exactly one event method,
// with interrupts off, and then `next()`; nothing here blocks or switches stacks.

public import ABI
import Memory

/// The kernel.
public final class Kernel {
  let memory: MemorySystem

  /// Builds the kernel at boot; arrays of fixed size are allocated here and nowhere else.
  public init(_ configuration: consuming KernelConfiguration) {
    memory = configuration.memory
  }

  /// Creates process 1 from the file with this path (`/bin/NAME`); an empty path means the first module. Console on
  /// descriptors 0, 1 and 2.
  ///
  /// Throws what execve(2) would give: ENOENT, ENOEXEC, ENOMEM, E2BIG.
  public func start(_ path: [UInt8]) throws(Errno) {
    throw .enoent
  }

  /// A system call of the current thread, whose registers are in its context.
  ///
  /// True: the same thread goes on at once with the registers in its context (the fast way; fs and gs bases unchanged).
  /// False: call `next()`.
  public func systemCall() -> Bool { false }

  /// An exception of the current thread.
  public func exception(_ event: ProcessorException) {}

  /// The periodic timer interrupt, from ring 3 or from idling: ends the current thread's turn and fires what is due.
  public func timerTick() {}

  /// A byte arrived on the console.
  public func consoleInput(_ byte: UInt8) {}

  /// A device interrupt whose work the driver has already reported to `MemorySystem` (transfers completed).
  public func deviceInterrupt() {}

  /// Decides what runs next; does the work that is due between events first.
  public func next() -> Next { .idle(until: nil) }
}
