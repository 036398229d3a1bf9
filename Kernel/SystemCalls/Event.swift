// What happens to the kernel, one at a time, with interrupts off.

import Files
import Primitives
import Processes

/// An event.
public enum Event {
  /// A system call of the current thread, whose registers are in its context.
  case systemCall
  /// An exception of the current thread.
  case exception(ProcessorException)
  /// The timer interrupt, from ring 3 or from idling.
  case timerTick
  /// The console's device has interrupted.
  case consoleInterrupt
  /// A device interrupt whose work the driver has already reported to `MemorySystem` (transfers completed).
  case deviceInterrupt
}

extension Kernel {
  /// Handles an event.
  ///
  /// True: the same thread goes on at once with the registers in its context (the fast way; fs and gs bases unchanged).
  /// False: call `next()`.
  @inline(__always)
  public func handle(_ event: Event) -> Bool {
    switch event {
    case .systemCall:
      return processes.processor.thread.borrow { thread in
        processes.processor.process.borrow { process in systemCall(thread, process) }
      }
    case .exception(let exception): return self.exception(exception)
    case .timerTick: timerTick()
    case .consoleInterrupt:
      counters.interrupts &+= 1
      files.serveConsole()
    case .deviceInterrupt: counters.interrupts &+= 1
    }
    return false
  }
}
