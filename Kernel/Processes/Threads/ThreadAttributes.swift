// What a thread is besides its registers: its name, its priority, the robust mutexes that it owns.

public import ABI

/// Attributes of a thread, in its record.
public struct ThreadAttributes: BitwiseCopyable {
  /// The name of thr_set_name(2); that of the process until it is set.
  public var name = [20 of UInt8](repeating: 0)
  /// Bytes of `name` in use; negative while the thread goes by the name of its process.
  public var nameByteCount: Int32 = -1
  /// The priority of rtprio_thread(2), as the scheduler knows it too.
  public var priority = ThreadPriority.normal

  /// What the thread has used; its memory is that of the process.
  public var usage = ResourceUsage()

  /// Those of a first thread.
  public init() {}
}
