// What must hold whatever the kernel's command line is: nothing wrong is passed over, and what it says is what it does.

import Handover

/// Judges what the kernel makes of a command line.
public enum OptionsCheck {
  /// Returns what is wrong, or nil; a trap is wrong too.
  public static func problem(with line: [UInt8]) -> String? {
    for beginsWithFile in [false, true] {
      let options = KernelOptions(line, beginsWithFile: beginsWithFile)
      if options.swapDevices.contains(where: { $0.byteCount < 4096 }) { return "a swap device of less than a page" }
      if options.swapDevices.count(where: \.isCompressed) > 1 { return "two stores of compressed pages" }
      if options.failurePoints.contains(where: \.isEmpty) { return "a fail point without a name" }
      if let refusal = options.refusal {
        if refusal.reason.utf8CodeUnitCount == 0 { return "a refusal without words" }
        continue
      }
      // A wrong word behind a line that is right is seen, and an option behind it works.
      if line.allSatisfy({ $0 == UInt8(ascii: " ") }) { continue }
      let space: [UInt8] = [UInt8(ascii: " ")]
      let wrong = KernelOptions(line + space + Array("seed=x".utf8), beginsWithFile: beginsWithFile)
      if wrong.refusal != .wrongValue(Array("seed=x".utf8)) { return "a wrong value is passed over" }
      let right = KernelOptions(line + space + Array("seed=77".utf8), beginsWithFile: beginsWithFile)
      if right.refusal != nil || right.seed != 77 { return "an option is passed over" }
    }
    return nil
  }
}
