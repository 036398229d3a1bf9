// Walking the frame pointers, which every function keeps.
//
// Every address printed lies in the instruction that it tells of: a return address minus one, for the call may be the last
// instruction of its function.

internal import MachineSupport

/// The chain of callers.
enum Backtrace {
  private static let maximumDepth = 64

  /// Writes one line for each caller. A frame pointer that leaves the kernel's stacks, or does not grow, ends the walk.
  static func write(from framePointer: UInt64, first: UInt64?) {
    MachineConsole.beginLine()
    MachineConsole.write("backtrace:\n")
    var number: UInt64 = 0
    if let first {
      write(number, first)
      number += 1
    }
    var frame = framePointer
    let stacks = KernelStack.all
    while number < maximumDepth {
      var isOnStack = false
      for index in stacks.indices where stacks[index].holdsWord(at: frame) && stacks[index].holdsWord(at: frame &+ 8) {
        isOnStack = true
      }
      guard isOnStack, frame & 7 == 0 else { break }
      write(number, memory_read64(frame + 8) &- 1)
      number += 1
      let caller = memory_read64(frame)
      guard caller > frame else { break }
      frame = caller
    }
  }

  private static func write(_ number: UInt64, _ address: UInt64) {
    MachineConsole.beginLine()
    MachineConsole.write("  #")
    MachineConsole.write(decimal: number)
    MachineConsole.write(" ")
    MachineConsole.write(hexadecimal: address, digits: 16)
    MachineConsole.write(0x0A)
  }
}
