// The nodes of sysctl(3) of the fail points, `debug.fail_point.NAME`: their settings as texts, as in fail(9).

import ABI
import Files
import Primitives
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
