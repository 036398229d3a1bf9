// Every limit of this module by name.

/// Limits of processes and threads.
public enum ProcessLimits {
  /// The most processes that any machine has, however large.
  public static let maximumProcessCount = 16_384
  /// The fewest processes that a machine is built for.
  public static let minimumProcessCount = 64
  /// Of the process slots, those that only the superuser may take (spec abi.md section 15).
  public static let reservedProcessCount = 10
  /// The first thread identifier that is given out; those of processes lie below (spec abi.md section 15).
  public static let firstThreadIdentifier: Int32 = 100_001
  /// The most threads of one process (`kern.threads.max_threads_per_proc`).
  public static let maximumThreadsPerProcess = 1500
  /// The most signals in the queues of one process (`kern.sigqueue.max_pending_per_proc`).
  public static let maximumQueuedSignals = 128
  /// The bytes of a process name that are kept.
  public static let nameByteCount = 20
  /// Arguments that execve(2) handles, or pages that it copies, before it lets others have a turn.
  public static let executionStepsPerTurn = 32
  /// Map entries, translations, pages and descriptors that one turn of fork(2), munmap(2) and their like handles.
  public static let unitsPerTurn = 264
  /// Children that an exiting process hands over before others have a turn.
  public static let childrenPerTurn = 256
  /// Processes that are signalled before others have a turn.
  public static let signalsPerTurn = 128
  /// Places for processes that getpriority(2) and setpriority(2) look at before others have a turn, …
  public static let prioritiesPerTurn = 1024
  /// … and threads that get another nice value.
  public static let niceThreadsPerTurn = 512
  /// Sleepers on one word of user memory that are woken before others have a turn.
  public static let wakesPerTurn = 128
  /// Robust mutexes of one list that are unlocked when their owner ends (`kern.ipc.umtx_max_robust`).
  public static let robustMutexCount = 1000
  /// Nanoseconds that a thread which ends waits for frames at a time, to tell others in user memory that it has.
  public static let endPatienceNanoseconds: UInt64 = 10_000_000
  /// About how many timers of processes are looked at between two looks at who goes first.
  static let timersPerLook = 16
  /// Threads that are looked at when a clock was set before others have a turn.
  static let sleepersPerTurn = 1024
  /// The first identifier of a timer of ktimer_create(2) …
  static let firstTimerIdentifier: Int32 = 3
  /// … and the one behind the last.
  static let timerIdentifierEnd: Int32 = 32
  /// Nanoseconds that a thread has the processor for in each round.
  public static let turnNanoseconds: UInt64 = 10_000_000
  /// Nanoseconds for which a thread that woke goes before others once it runs.
  public static let burstNanoseconds: UInt64 = 1_000_000
  /// Nanoseconds of its parent's turn that a child begins with, at most.
  public static let childNanoseconds: UInt64 = 300_000
  /// Nanoseconds that a thread which mostly waits may use beyond its turn, at the expense of its next.
  public static let hurriedNanoseconds: UInt64 = 2_000_000
  /// Nanoseconds up to which a wait is short.
  public static let shortWaitNanoseconds: UInt64 = 10_000_000
  /// Nanoseconds that a thread runs before the timer interrupts it, however near a deadline is: what is due all the time must
  /// not keep it from getting anywhere.
  public static let shortestRunNanoseconds: UInt64 = 20_000
  /// Nanoseconds for which a thread waits at least that may have no more kernel memory, …
  public static let limitWaitNanoseconds: UInt64 = 1_000_000
  /// … and for each other that does: some ten times what it takes to try again.
  public static let limitWaitNanosecondsPerWaiter: UInt64 = 100_000
  /// Bytes of the buffer in which a call's structure or path is staged: the longest path (spec abi.md section 1).
  public static let callBufferByteCount = 1024

  /// Threads that there may be beyond one of each process, where there may be so many processes.
  public static func extraThreadCount(forProcesses processCount: Int) -> Int { processCount + maximumThreadsPerProcess }

  /// `kern.maxproc` for a machine with this many frames: FreeBSD's formula, 20 + 16 for each 2 MiB up to 384 of them.
  public static func processCount(forFrames frameCount: Int) -> Int {
    let users = min(max(frameCount / 512, 4), 384)
    return min(max(20 + 16 * users, minimumProcessCount), maximumProcessCount)
  }
}
