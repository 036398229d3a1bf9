// Processes: identity, fork, exec, wait, signals, sleeping, ending.

public import ABI
import UserlandSupport

/// This process and its children.
public enum Processes {
  /// getpid(2)
  public static var identifier: Int32 { number(.getpid) }
  /// getppid(2)
  public static var parentIdentifier: Int32 { number(.getppid) }

  /// The result of a call that cannot fail.
  private static func number(_ call: SystemCallNumber) -> Int32 {
    (try? SystemCall.perform(call)).map { Int32(truncatingIfNeeded: $0) } ?? -1
  }

  /// fork(2): the child's identifier in the parent, nil in the child.
  public static func fork() throws(Errno) -> Int32? {
    let child = try SystemCall.perform(.fork)
    return child == 0 ? nil : Int32(truncatingIfNeeded: child)
  }

  /// wait4(2): waits for the child (any child, when nil) and tells which one ended and how.
  public static func wait(
    for child: Int32? = nil, _ options: WaitOptions = []
  ) throws(Errno) -> (child: Int32, status: WaitStatus) {
    var status: Int32 = 0
    // SAFETY: the kernel writes one int at the address of `status`.
    let found = try unsafe withUnsafeMutablePointer(to: &status) { (pointer) throws(Errno) in
      try SystemCall.perform(
        .wait4, UInt64(argument: child ?? -1), UInt64(UInt(bitPattern: pointer)), UInt64(options.rawValue), 0)
    }
    return (Int32(truncatingIfNeeded: found), WaitStatus(rawValue: status))
  }

  /// kill(2)
  public static func kill(_ process: Int32, _ signal: Signal) throws(Errno) {
    try SystemCall.perform(.kill, UInt64(argument: process), UInt64(argument: signal.rawValue))
  }

  /// sched_yield(2)
  public static func yield() {
    _ = try? SystemCall.perform(.schedYield)
  }

  /// exit(2): at once. What `print` keeps back of a line that is not complete is lost; it comes out when `main` returns.
  public static func exit(_ code: Int32) -> Never {
    _ = try? SystemCall.perform(.exit, UInt64(argument: code))
    fatalError()
  }

  /// How many arguments the program was given, its own name included.
  public static var argumentCount: Int { Int(shared_load(start_record_address())) }

  /// The bytes of an argument, without the NUL, handed to `body`.
  public static func withArgument<Result>(_ index: Int, _ body: (Span<UInt8>) -> Result) -> Result {
    precondition(index >= 0 && index < argumentCount)
    let address = shared_load(start_record_address() + 8 + 8 * UInt64(index))
    var count = 0
    while shared_load_byte(address + UInt64(count)) != 0 { count += 1 }
    // SAFETY: the kernel put a NUL-terminated string at the address, and the program leaves its start record alone.
    let start = unsafe UnsafePointer<UInt8>(bitPattern: UInt(address))!
    return body(unsafe Span(_unsafeStart: start, count: count))
  }
}
