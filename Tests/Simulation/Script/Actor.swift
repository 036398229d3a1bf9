// Who acts in a script: a thread of a process.

/// A thread of a process of the script, as one number: that of the process, and above its 20 bits that of the thread. The thread
/// that a process begins with has the number 0 there, so it goes by the number of the process alone.
enum Actor {
  private static let processBits = 20

  static func number(process: Int, thread: Int) -> Int { thread << processBits | process }
  static func process(_ actor: Int) -> Int { actor & (1 << processBits - 1) }
  static func thread(_ actor: Int) -> Int { actor >> processBits }
}

extension ScriptStep {
  /// Who performs the step.
  var actor: Int { Actor.number(process: process, thread: thread) }
}
