// The kernel's command line (DESIGN, "Booted interface"): words separated by spaces; between quotation marks a space is part
// of the word, and the marks themselves are not.
//
// Every word has to be an option with a value that it can have: a slip of the pen is not to pass for the machine that was
// asked for. Only the name of the kernel's file, which some loaders put in front, is passed over.

/// What the command line asks for.
public struct KernelOptions {
  /// `init=`: the path of process 1; empty for the first module.
  public private(set) var initPath: [UInt8] = []
  /// `swap=SIZE` and `swap=compressed:SIZE`, any number of times: the swap devices, in order.
  public private(set) var swapDevices: [SwapOption] = []
  /// `selftest` or `selftest=PATTERN`: run the self-tests whose names contain the pattern.
  public private(set) var selfTestPattern: [UInt8]?
  /// `quiet`: no kernel lines but a panic's.
  public private(set) var isQuiet = false
  /// `env=NAME=VALUE`, any number of times: the environment of process 1.
  public private(set) var environment: [[UInt8]] = []
  /// `input=framed`: the console's input says where it ends.
  public private(set) var inputIsFramed = false
  /// `signosys=`: whether an unknown system call number raises SIGSYS.
  public private(set) var unknownCallsRaiseSignal = true
  /// `inspect` or `inspect=N`: watch the heap use of every event, inspect the whole kernel at the end, and after every Nth
  /// event (0: not in between).
  public private(set) var inspectionInterval: UInt64?
  /// `fail=NAME:SETTING`, any number of times: fail points to be set once process 1 exists.
  public private(set) var failurePoints: [[UInt8]] = []
  /// `seed=N`: what the fail points' percentages are drawn from.
  public private(set) var seed: UInt64 = 1
  /// `trace` or `trace=faults`: show what programs call, their signals and, if so asked, their page faults.
  public private(set) var isTraced = false
  /// `trace=faults`.
  public private(set) var tracesFaults = false
  /// `turn=N`: how many microseconds a thread has the processor for in each round of turns, 20 to 10,000 (the usual).
  public private(set) var turnMicroseconds: UInt64?
  /// `inspect-test=KIND`: breaks an invariant on purpose once process 1 exists, for the inspection to find.
  public private(set) var inspectionTest: [UInt8]?
  /// `panic-test` or `panic-test=KIND`: fail on purpose.
  public private(set) var panicTest: [UInt8]?
  /// The first thing that is wrong with the command line. The other options are those of the rest.
  public private(set) var refusal: BootRefusal?

  /// Reads a command line.
  ///
  /// - Parameter beginsWithFile: the loader puts the path of the kernel's file, whatever it looks like, in front.
  public init(_ commandLine: [UInt8], beginsWithFile: Bool = false) {
    let start = KernelOptions.startOfOptions(commandLine, beginsWithFile)
    var word: [UInt8] = []
    var isQuoted = false
    for byte in commandLine[start...] {
      if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      } else if byte == UInt8(ascii: " ") && !isQuoted {
        take(word)
        word.removeAll(keepingCapacity: true)
      } else {
        word.append(byte)
      }
    }
    take(word)
    if isQuoted { refuse(.openQuotation) }
  }

  /// Where the options begin: behind the first word if that is a path, and behind a later one that ends the path of an ELF
  /// file with spaces in it.
  private static func startOfOptions(_ commandLine: [UInt8], _ beginsWithFile: Bool) -> Int {
    let words = ModuleWords(commandLine)
    var start = 0
    var position = 0
    while let word = words.next(from: position) {
      let bytes = commandLine[word]
      let isFirst = position == 0
      position = word.upperBound
      let isSetting = bytes.contains(UInt8(ascii: "=")) || bytes.contains(UInt8(ascii: "\""))
      if isFirst && beginsWithFile {
        start = position
      } else if isSetting || Option(Array(bytes)) != nil {
        break
      } else if isFirst ? bytes.contains(UInt8(ascii: "/")) : bytes.suffix(4).elementsEqual(".elf".utf8) {
        start = position
      }
    }
    return start
  }

  private mutating func refuse(_ refusal: BootRefusal) {
    if self.refusal == nil { self.refusal = refusal }
  }

  private mutating func take(_ word: [UInt8]) {
    guard let first = word.first else { return }
    let split = word.firstIndex(of: UInt8(ascii: "=")) ?? word.count
    let name = Array(word[..<split])
    let value = split < word.count ? Array(word[(split + 1)...]) : nil
    guard first != UInt8(ascii: "="), let option = Option(name) else { return refuse(.unknownOption(word)) }
    if !set(option, value) { refuse(.wrongValue(word)) }
  }

  /// The options by their names.
  private enum Option {
    case initPath, environment, swap, selfTest, quiet, input, signalUnknownCalls
    case inspect, trace, fail, seed, turn, inspectionTest, panicTest

    init?(_ name: [UInt8]) {
      if matches(name, "init") {
        self = .initPath
      } else if matches(name, "swap") {
        self = .swap
      } else if matches(name, "selftest") {
        self = .selfTest
      } else if matches(name, "quiet") {
        self = .quiet
      } else if matches(name, "signosys") {
        self = .signalUnknownCalls
      } else if matches(name, "inspect") {
        self = .inspect
      } else if matches(name, "fail") {
        self = .fail
      } else if matches(name, "seed") {
        self = .seed
      } else if matches(name, "turn") {
        self = .turn
      } else if matches(name, "inspect-test") {
        self = .inspectionTest
      } else if matches(name, "panic-test") {
        self = .panicTest
      } else if matches(name, "env") {
        self = .environment
      } else if matches(name, "input") {
        self = .input
      } else if matches(name, "trace") {
        self = .trace
      } else {
        return nil
      }
    }
  }

  /// Sets an option; false when the value is none of its.
  private mutating func set(_ option: Option, _ value: [UInt8]?) -> Bool {
    switch option {
    case .quiet:
      guard value == nil else { return false }
      isQuiet = true
    case .input:
      guard let value, matches(value, "framed") else { return false }
      inputIsFramed = true
    case .trace:
      guard value == nil || matches(value ?? [], "faults") else { return false }
      isTraced = true
      tracesFaults = value != nil
    case .selfTest: selfTestPattern = value ?? []
    case .panicTest: panicTest = value ?? []
    case .inspect:
      guard let interval = value.map(number) ?? 0 else { return false }
      inspectionInterval = interval
    case .initPath, .fail, .inspectionTest, .environment:
      guard let value, !value.isEmpty else { return false }
      setText(option, value)
    case .swap:
      guard let value, let device = SwapOption(value) else { return false }
      return add(device)
    case .seed:
      guard let value, let number = number(value) else { return false }
      seed = number
    case .turn:
      guard let value, let number = number(value), HandoverLimits.turnMicroseconds.contains(number) else {
        return false
      }
      turnMicroseconds = number
    case .signalUnknownCalls:
      guard let value, let number = number(value), number <= 1, value.count == 1 else { return false }
      unknownCallsRaiseSignal = number == 1
    }
    return true
  }

  /// Adds a swap device; false when there are too many, or it is a second one of the only kind of which there is one.
  private mutating func add(_ device: SwapOption) -> Bool {
    if device.byteCount == 0 { return true }
    guard swapDevices.count < HandoverLimits.swapDeviceCount,
      !device.isCompressed || !swapDevices.contains(where: { $0.isCompressed })
    else { return false }
    swapDevices.append(device)
    return true
  }

  private mutating func setText(_ option: Option, _ value: [UInt8]) {
    switch option {
    case .initPath: initPath = value
    case .inspectionTest: inspectionTest = value
    case .environment: environment.append(value)
    default: failurePoints.append(value)
    }
  }
}

/// A number in decimal digits; nil for anything else.
private func number(_ text: [UInt8]) -> UInt64? {
  guard !text.isEmpty else { return nil }
  var value: UInt64 = 0
  for byte in text {
    guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
    guard !overflow, !carry else { return nil }
    value = sum
  }
  return value
}

/// A number with an optional K, M or G behind it.
func size(_ text: [UInt8]) -> UInt64? {
  let shift: UInt64 =
    switch text.last {
    case UInt8(ascii: "k"), UInt8(ascii: "K"): 10
    case UInt8(ascii: "m"), UInt8(ascii: "M"): 20
    case UInt8(ascii: "g"), UInt8(ascii: "G"): 30
    default: 0
    }
  guard let value = number(shift == 0 ? text : Array(text.dropLast())), value <= UInt64.max >> shift else { return nil }
  return value << shift
}
