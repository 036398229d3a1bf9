// The words of a module's string: the file, then the arguments for when the module becomes process 1.

/// A module's string, taken apart.
public struct ModuleWords {
  private let text: [UInt8]

  /// Wraps a string.
  public init(_ commandLine: [UInt8]) { text = commandLine }

  /// The next word at or behind `position`, or nil.
  public func next(from position: Int) -> Range<Int>? {
    var start = position
    while start < text.count && text[start] == UInt8(ascii: " ") { start += 1 }
    guard start < text.count else { return nil }
    var end = start
    while end < text.count && text[end] != UInt8(ascii: " ") { end += 1 }
    return start..<end
  }

  /// The last path component of the first word: the name in /bin.
  public var name: Range<Int> {
    guard let word = next(from: 0) else { return 0..<0 }
    var start = word.lowerBound
    for index in word where text[index] == UInt8(ascii: "/") { start = index + 1 }
    return start..<word.upperBound
  }
}
