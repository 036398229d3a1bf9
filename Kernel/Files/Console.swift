// The console: bytes that arrived and were not read yet, and the way out (DESIGN, "Booted interface": input is raw).
//
// Invariant: the `count` bytes from `start` on, round the end of the buffer, are waiting, oldest first.

import Memory

/// The console of the machine.
public final class Console {
  private let memory: MemorySystem
  private var input = [4096 of UInt8](repeating: 0)
  private var start = 0
  /// Bytes that wait to be read.
  public private(set) var count = 0

  init(_ memory: MemorySystem) {
    self.memory = memory
  }

  /// Whether another byte can wait.
  public var hasRoom: Bool { count < FileLimits.consoleInputByteCount }

  /// Takes a byte from the machine and wakes those who wait for one. A byte that finds the buffer full is lost.
  public func receive(_ byte: UInt8) {
    guard hasRoom else { return }
    input[(start + count) % FileLimits.consoleInputByteCount] = byte
    count += 1
    memory.waker.instance?.wake(.consoleInput)
  }

  /// Sends bytes out, each line feed as carriage return and line feed.
  func send(_ bytes: Span<UInt8>) {
    precondition(bytes.count <= FileLimits.consoleOutputByteCount)
    var output = [512 of UInt8](repeating: 0)
    var length = 0
    for index in bytes.indices {
      if bytes[index] == UInt8(ascii: "\n") {
        output[length] = UInt8(ascii: "\r")
        length += 1
      }
      output[length] = bytes[index]
      length += 1
    }
    memory.processor.writeConsole(RawSpan(_elements: output.span.extracting(0..<length)))
  }

  /// Copies the oldest waiting bytes, at most `limit` and what lies in one piece, to a program and removes them.
  func deliver(to address: VirtualAddress, limit: UInt64, _ space: AddressSpace) -> (UserCopyOutcome, byteCount: UInt64)
  {
    let byteCount = Int(min(UInt64(min(count, FileLimits.consoleInputByteCount - start)), limit))
    var progress = 0
    let piece = RawSpan(_elements: input.span.extracting(start..<start + byteCount))
    let outcome = space.copyOut(piece, to: address, progress: &progress)
    if case .complete = outcome {
      start = (start + byteCount) % FileLimits.consoleInputByteCount
      count -= byteCount
    }
    return (outcome, UInt64(byteCount))
  }
}
