// kern.proc.pathname of sysctl(3): which file a process executes.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// The name of the node.
  static var processPathName: String { "kern.proc.pathname" }
  /// The numbers of the node, which the process' identifier follows.
  static var processPathIdentifier: [3 of Int32] {
    [SystemControl.Top.kern, SystemControl.Kern.process, SystemControl.Kern.processPath]
  }

  /// A node below kern.proc, whose numbers are staged.
  ///
  /// Throws ENOENT for every other one.
  func controlOfProcesses(
    _ count: Int, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let span = thread.frame.value.buffer.span
    guard count >= 3, Int32(bitPattern: span.loadUInt32(at: 8)) == SystemControl.Kern.processPath else { throw .enoent }
    let identifier = count == 4 ? Int32(bitPattern: span.loadUInt32(at: 12)) : nil
    return try processPath(identifier, arguments, thread, process)
  }

  /// The path of the file that a process executes; −1 is the caller. Nothing for a process that has ended.
  ///
  /// Throws EPERM for a new value, EINVAL unless exactly one process is named, ESRCH when there is none.
  func processPath(
    _ identifier: Int32?, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    guard let room = try room(arguments, thread, process) else { return .parked }
    guard arguments.new == 0 else { throw .eperm }
    guard let identifier else { throw .einval }
    guard let subject = identifier == -1 ? process : processes.process(identifier) else { throw .esrch }
    var size = 0
    if subject.state == .running, let program = files.program(at: subject.imageStart) {
      size = program.stagePath(&thread.frame.value.buffer)
    }
    guard try deliver(size, room, arguments, thread, process) else { return .parked }
    if arguments.old != 0 && room < UInt64(size) { return end(room, .enomem, arguments, thread, process) }
    return end(UInt64(size), nil, arguments, thread, process)
  }
}
