// What a fail point does, in the words of fail(9): terms of the form `[PERCENT%][COUNT*]TYPE[(ARGUMENT)[[pid NUMBER]]]`,
// joined by `->`.
//
// The types are off, return, panic and print; FreeBSD's others (sleep, delay, pause, yield, break) have no meaning where
// nothing may wait. As there, a term that does not execute, because of its probability, its count or the process that it is
// for, is passed over, a `print` with an argument other than 0 passes on to the next term, every other term that executes ends
// the evaluation; the last percentage and the last count of a term count; a term that can never execute is left out, and so is
// what follows an `off` without a count, whomever that is for.
public import ABI

/// One term.
struct FailureTerm: BitwiseCopyable {
  enum Action: UInt8, BitwiseCopyable {
    case off, fail, panic, print

    var name: String {
      switch self {
      case .off: "off"
      case .fail: "return"
      case .panic: "panic"
      case .print: "print"
      }
    }
  }

  /// What stands for "always".
  static let certainty: UInt32 = 1_000_000
  /// What stands for "any number of times".
  static let unlimited: Int32 = -1
  /// What stands for "whichever process".
  static let anybody: Int32 = -1

  var action = Action.off
  /// In millionths.
  var probability = FailureTerm.certainty
  /// How often it still executes, or `unlimited`.
  var count = FailureTerm.unlimited
  var argument: Int32 = 0
  /// The process that it executes for, or `anybody`.
  var process = FailureTerm.anybody
}

/// The setting of one fail point.
public struct FailureSetting: BitwiseCopyable, Sendable {
  /// The most terms that one setting has.
  static let maximumTermCount = 4

  var terms = [4 of FailureTerm](repeating: FailureTerm())
  var termCount = 0

  /// Nothing happens.
  public init() {}

  /// The `number`th evaluation (from 1) fails, and only that.
  init(failing number: UInt32) {
    if number > 1 {
      terms[0].count = Int32(number - 1)
      termCount = 1
    }
    terms[termCount].action = .fail
    terms[termCount].count = 1
    termCount += 1
  }

  /// Reads a setting. Throws EINVAL for what fail(9) does not allow, for other types than the four, and for too many terms.
  public init(parsing text: Span<UInt8>) throws(Errno) {
    var reader = FailureSettingReader(text)
    var isReachable = true
    var readCount = 0
    repeat {
      guard readCount < FailureSetting.maximumTermCount else { throw .einval }
      readCount += 1
      let term = try reader.term()
      guard isReachable && term.probability > 0 else { continue }
      if term.action == .off && term.count == FailureTerm.unlimited {
        isReachable = false
      } else {
        terms[termCount] = term
        termCount += 1
      }
    } while try reader.takeArrow()
  }

  /// Whether every evaluation for this process fails from now on, whatever is drawn.
  func failsForEver(for process: Int32) -> Bool {
    for index in 0..<termCount {
      let term = terms[index]
      if term.count == 0 || term.process != FailureTerm.anybody && term.process != process { continue }
      let isCertain = term.probability == FailureTerm.certainty
      switch term.action {
      case .fail: if isCertain && term.count == FailureTerm.unlimited { return true }
      case .print: if term.argument == 0 { return false }
      case .off, .panic: return false
      }
      // A term with a count runs out, and what comes then is seen then.
      if term.count > 0 { return false }
    }
    return false
  }

  /// Writes the terms that can still execute, or `off`.
  public func write(to line: inout ConsoleLine) {
    var isFirst = true
    for index in 0..<termCount where terms[index].count != 0 {
      if !isFirst { line.append("->") }
      isFirst = false
      write(terms[index], to: &line)
    }
    if isFirst { line.append("off") }
  }

  private func write(_ term: FailureTerm, to line: inout ConsoleLine) {
    if term.probability < FailureTerm.certainty {
      line.append(UInt64(term.probability / 10_000))
      var rest = term.probability % 10_000
      if rest > 0 {
        line.append(".")
        var unit: UInt32 = 1000
        while rest > 0 {
          line.append(UInt64(rest / unit))
          rest %= unit
          unit /= 10
        }
      }
      line.append("%")
    }
    if term.count != FailureTerm.unlimited {
      line.append(UInt64(term.count))
      line.append("*")
    }
    line.append(term.action.name)
    if term.argument != 0 {
      line.append("(")
      if term.argument < 0 { line.append("-") }
      line.append(UInt64(term.argument.magnitude))
      line.append(")")
    }
    if term.process != FailureTerm.anybody {
      line.append("[pid ")
      line.append(UInt64(term.process))
      line.append("]")
    }
  }
}

/// Reads the grammar.
private struct FailureSettingReader: ~Escapable {
  private let text: Span<UInt8>
  private var position = 0

  @_lifetime(copy text)
  init(_ text: Span<UInt8>) { self.text = text }

  private var next: UInt8 { position < text.count ? text[position] : 0 }
  private var digit: Int64? { next >= 0x30 && next <= 0x39 ? Int64(next - 0x30) : nil }

  private mutating func take(_ word: String) -> Bool {
    var end = position
    for byte in word.utf8 {
      guard end < text.count, text[end] == byte else { return false }
      end += 1
    }
    position = end
    return true
  }

  /// Whether another term follows. Throws EINVAL when something else does.
  mutating func takeArrow() throws(Errno) -> Bool {
    if position == text.count { return false }
    guard take("->") else { throw .einval }
    return true
  }

  mutating func term() throws(Errno) -> FailureTerm {
    var term = FailureTerm()
    while digit != nil || next == UInt8(ascii: ".") {
      let (units, fraction) = try number()
      if take("%") {
        term.probability = min(UInt32(min(units, 100)) * 10_000 + fraction, FailureTerm.certainty)
      } else if take("*") {
        guard units > 0, fraction == 0 else { throw .einval }
        term.count = Int32(units)
      } else {
        throw .einval
      }
    }
    if take("off") {
      term.action = .off
    } else if take("return") {
      term.action = .fail
    } else if take("panic") {
      term.action = .panic
    } else if take("print") {
      term.action = .print
    } else {
      throw .einval
    }
    if take("(") {
      term.argument = try argument()
      guard take(")") else { throw .einval }
      if take("[pid ") {
        guard digit != nil else { throw .einval }
        term.process = try argument()
        guard take("]") else { throw .einval }
      }
    }
    return term
  }

  /// A number and its decimals, in units of 1/10000, rounded.
  private mutating func number() throws(Errno) -> (units: Int64, fraction: UInt32) {
    let units = digit == nil ? 0 : try integer(base: 10)
    guard take(".") else { return (units, 0) }
    guard digit != nil else { throw .einval }
    var fraction: UInt32 = 0
    var digits = 0
    while let value = digit {
      if digits < 4 { fraction = fraction * 10 + UInt32(value) } else if digits == 4 && value >= 5 { fraction += 1 }
      digits += 1
      position += 1
    }
    while digits < 4 {
      fraction *= 10
      digits += 1
    }
    return (units, fraction)
  }

  /// What strtol(3) reads with base 0, inside an int.
  private mutating func argument() throws(Errno) -> Int32 {
    let isNegative = take("-")
    guard digit != nil else { throw .einval }
    let base: Int64 = take("0x") ? 16 : next == UInt8(ascii: "0") ? 8 : 10
    let value = try integer(base: base)
    return Int32(isNegative ? -value : value)
  }

  private mutating func integer(base: Int64) throws(Errno) -> Int64 {
    var value: Int64 = 0
    var digits = 0
    while let digit = digit(base: base) {
      value = value * base + digit
      guard value <= Int64(Int32.max) else { throw .einval }
      position += 1
      digits += 1
    }
    guard digits > 0 else { throw .einval }
    return value
  }

  private func digit(base: Int64) -> Int64? {
    let value: Int64
    switch next {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int64(next - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): value = Int64(next - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): value = Int64(next - UInt8(ascii: "A")) + 10
    default: return nil
    }
    return value < base ? value : nil
  }
}
