// The kernel's command line (DESIGN, "Booted interface"): words separated by spaces; between quotation marks a space is part
// of the word, and the marks themselves are not. Unknown words are the boot loader's.

/// What the command line asks for.
public struct KernelOptions {
  /// `init=`: the path of process 1; empty for the first module.
  public private(set) var initPath: [UInt8] = []
  /// `swap=`: bytes of memory that become the swap device.
  public private(set) var swapByteCount: UInt64 = 0
  /// `selftest` or `selftest=PATTERN`: run the self-tests whose names contain the pattern.
  public private(set) var selfTestPattern: [UInt8]?
  /// `quiet`: no kernel lines but a panic's.
  public private(set) var isQuiet = false
  /// `signosys=`: whether an unknown system call number raises SIGSYS.
  public private(set) var unknownCallsRaiseSignal = true
  /// `inspect` or `inspect=N`: watch the heap use of every event, inspect the whole kernel at the end, and after every Nth
  /// event (0: not in between).
  public private(set) var inspectionInterval: UInt64?
  /// `fail=NAME:SETTING`, any number of times: fail points to be set once process 1 exists.
  public private(set) var failurePoints: [[UInt8]] = []
  /// `seed=N`: what the fail points' percentages are drawn from.
  public private(set) var seed: UInt64 = 1
  /// `inspect-test=KIND`: breaks an invariant on purpose once process 1 exists, for the inspection to find.
  public private(set) var inspectionTest: [UInt8]?
  /// `panic-test` or `panic-test=KIND`: fail on purpose.
  public private(set) var panicTest: [UInt8]?

  /// Reads a command line.
  public init(_ commandLine: [UInt8]) {
    var word: [UInt8] = []
    var isQuoted = false
    for byte in commandLine {
      if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      } else if byte == UInt8(ascii: " ") && !isQuoted {
        take(word)
        word = []
      } else {
        word.append(byte)
      }
    }
    take(word)
  }

  private mutating func take(_ word: [UInt8]) {
    if let value = KernelOptions.value(of: "init=", in: word) {
      initPath = value
    } else if let value = KernelOptions.value(of: "swap=", in: word) {
      swapByteCount = KernelOptions.size(value)
    } else if let value = KernelOptions.value(of: "selftest=", in: word) {
      selfTestPattern = value
    } else if KernelOptions.value(of: "selftest", in: word)?.isEmpty == true {
      selfTestPattern = []
    } else if KernelOptions.value(of: "quiet", in: word)?.isEmpty == true {
      isQuiet = true
    } else if let value = KernelOptions.value(of: "signosys=", in: word) {
      unknownCallsRaiseSignal = value.first != UInt8(ascii: "0")
    } else if let value = KernelOptions.value(of: "inspect=", in: word) {
      inspectionInterval = KernelOptions.size(value)
    } else if KernelOptions.value(of: "inspect", in: word)?.isEmpty == true {
      inspectionInterval = 0
    } else if let value = KernelOptions.value(of: "fail=", in: word) {
      failurePoints.append(value)
    } else if let value = KernelOptions.value(of: "seed=", in: word) {
      seed = KernelOptions.size(value)
    } else if let value = KernelOptions.value(of: "inspect-test=", in: word) {
      inspectionTest = value
    } else if let value = KernelOptions.value(of: "panic-test=", in: word) {
      panicTest = value
    } else if KernelOptions.value(of: "panic-test", in: word)?.isEmpty == true {
      panicTest = []
    }
  }

  /// What follows `prefix` in the word, if the word begins so.
  private static func value(of prefix: StaticString, in word: [UInt8]) -> [UInt8]? {
    let count = prefix.utf8CodeUnitCount
    guard word.count >= count else { return nil }
    for index in 0..<count where word[index] != byte(of: prefix, at: index) { return nil }
    return Array(word[count...])
  }

  private static func byte(of text: StaticString, at index: Int) -> UInt8 {
    // SAFETY: callers stay below `utf8CodeUnitCount`, and no text here is a single scalar without storage.
    unsafe text.utf8Start[index]
  }

  /// Whether bytes spell a text.
  static func matches(_ bytes: [UInt8], _ text: StaticString) -> Bool {
    value(of: text, in: bytes)?.isEmpty == true
  }

  /// A number with an optional K, M or G behind it; nonsense is 0.
  private static func size(_ text: [UInt8]) -> UInt64 {
    var value: UInt64 = 0
    for byte in text {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        guard value < 1 << 40 else { return 0 }
        value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "k"), UInt8(ascii: "K"): return value << 10
      case UInt8(ascii: "m"), UInt8(ascii: "M"): return value << 20
      case UInt8(ascii: "g"), UInt8(ascii: "G"): return value << 30
      default: return 0
      }
    }
    return value
  }
}

/// Whether a text has the bytes of a pattern anywhere.
public func text(_ text: StaticString, contains pattern: [UInt8]) -> Bool {
  let length = text.utf8CodeUnitCount
  guard pattern.count <= length else { return false }
  for start in 0...(length - pattern.count) {
    var matches = true
    for index in 0..<pattern.count {
      // SAFETY: start + index is below the text's length.
      if unsafe text.utf8Start[start + index] != pattern[index] { matches = false }
    }
    if matches { return true }
  }
  return false
}
