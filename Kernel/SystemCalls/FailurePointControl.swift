// sysctl(3) of the fail points, `debug.fail_point.NAME`: their settings as texts, as in fail(9).

import ABI
import Files
import Memory
import Processes

extension FailurePoint {
  private static let prefix = "debug.fail_point."
  /// What is added to the number of a point to make the second number of its node.
  private static let firstIdentifier: Int32 = 1000

  /// The point whose node has this name.
  init?(controlName name: Span<UInt8>) {
    let count = FailurePoint.prefix.utf8.count
    guard name.count > count, name.extracting(0..<count).spells(FailurePoint.prefix) else { return nil }
    self.init(name: name.extracting(droppingFirst: count))
  }

  /// The point whose node has these numbers.
  init?(_ first: Int32, _ second: Int32) {
    guard first == SystemControl.Top.debug, second >= FailurePoint.firstIdentifier,
      let raw = UInt8(exactly: Int(second - FailurePoint.firstIdentifier))
    else { return nil }
    self.init(rawValue: raw)
  }

  /// The numbers of the node.
  var identifier: (Int32, Int32) { (SystemControl.Top.debug, FailurePoint.firstIdentifier + Int32(rawValue)) }
}

extension Kernel {
  /// The longest setting that is read.
  private static let settingByteCount = 512

  /// Sets a fail point, if a new setting is given, and then, as FreeBSD does, gives the setting that it has by now.
  ///
  /// Throws EPERM unless the superuser sets it, EINVAL for a wrong setting; then nothing has changed.
  func control(
    _ point: FailurePoint, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    guard let room = try room(arguments, thread, process) else { return .parked }
    if arguments.new != 0 {
      guard process.credentials.isSuperuser else { throw .eperm }
      guard arguments.newLength > 0, arguments.newLength <= Kernel.settingByteCount else { throw .einval }
      let count = Int(arguments.newLength)
      guard try fetch(arguments.new, count, thread, process) != nil else { return .parked }
      let length = textLength(thread.frame.value.buffer.span, limit: count)
      memory.failures[point] = try FailureSetting(
        parsing: thread.frame.value.buffer.span.extracting(0..<length))
      // What could not be reclaimed because it was to fail perhaps can now.
      memory.forgetFutility()
    }
    var line = ConsoleLine()
    memory.failures[point].write(to: &line)
    line.append(UInt8(0))
    for index in 0..<line.span.count { thread.frame.value.buffer[index] = line.span[index] }
    let size = line.span.count
    guard try deliver(size, room, arguments, thread, process) else { return .parked }
    if arguments.old != 0 && room < UInt64(size) { return end(room, .enomem, arguments, thread, process) }
    return end(UInt64(size), nil, arguments, thread, process)
  }
}
