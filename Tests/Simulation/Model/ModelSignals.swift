// Signals, and what processes used, in the reference model.

/// What signals have done to a process.
struct ModelSignals {
  var ignored: Set<Int32> = []
  /// Those that are caught.
  var caught: Set<Int32> = []
  /// What was asked for, of every signal whose action was ever set.
  var actions: [Int32: ModelAction] = [:]
  /// Posted to the process, and held back or to a stopped process, which looks at them when it is continued; in their order.
  var queue: [ModelSignal] = []
  var isStopped = false
  var stopSignal: Int32 = 0
  var stopIsUnreported = false
  var continuationIsUnreported = false

  /// The signals of the queue.
  var pending: Set<Int32> { Set(queue.map(\.number)) }

  /// The two words of a sigset_t.
  static func words(of set: Set<Int32>) -> [UInt64] {
    var words: [UInt64] = [0, 0]
    for signal in set where signal >= 1 && signal <= 128 {
      words[Int(signal - 1) / 64] |= 1 << UInt64((signal - 1) % 64)
    }
    return words
  }

  static let stopping: Set<Int32> = [17, 18, 21, 22]
  static let harmless: Set<Int32> = [16, 19, 20, 23, 28, 29]

  /// What wait4(2) reports of a living process, if anything.
  func report(_ options: UInt32) -> Int32? {
    if options & 2 != 0 && isStopped && stopIsUnreported { return stopSignal << 8 | 0x7F }
    if options & 4 != 0 && continuationIsUnreported { return 0x13 }
    return nil
  }
}

/// What has become of a process in the kernel, as everybody can see.
enum ModelFate {
  case running, stopped, ended
}

/// An instance of a signal, with what its receiver is told of it.
struct ModelSignal {
  var number: Int32
  var code: UInt32
  var sender: Int32 = 0
  var user: UInt32 = 0
  var value: UInt64 = 0
  /// The address of an access that faulted.
  var address: UInt64 = 0
}

/// What a process used, as far as the model knows: at least this, and exactly this if `isExact`.
struct ModelUsage {
  /// User time in microseconds, faults without and with transfers, switches that it wanted and others, and the most memory
  /// at a time in KiB.
  var values: [UInt64] = [0, 0, 0, 0, 0, 0]
  var isExact = true
  /// Handlers that ran, which is known always.
  var signalCount: UInt64 = 0
  /// By how much the user time may differ from the sum of rounded times.
  var roundingMicroseconds: UInt64 = 0

  /// Reads `struct rusage`; the fields that nothing is counted in must be zero.
  init(decoding bytes: [UInt8]) throws(Difference) {
    let counted = [64, 72, 128, 136, 32]
    signalCount = littleEndian(bytes, 120)
    for offset in stride(from: 16, to: 144, by: 8) where !counted.contains(offset) && offset != 120 {
      if littleEndian(bytes, offset) != 0 { throw Difference("rusage has \(littleEndian(bytes, offset)) at \(offset)") }
    }
    values = [littleEndian(bytes, 0) * 1_000_000 + littleEndian(bytes, 8)] + counted.map { littleEndian(bytes, $0) }
  }

  init() {}

  /// Checks a usage that was told against what is known, and takes it over.
  mutating func learn(_ told: ModelUsage) throws(Difference) {
    if told.signalCount != signalCount {
      throw Difference("\(told.signalCount) handlers are said to have run, expected \(signalCount)")
    }
    for index in values.indices {
      let slack = index == 0 ? roundingMicroseconds : 0
      if told.values[index] < values[index] || isExact && told.values[index] > values[index] + slack {
        throw Difference("usage \(told.values), expected \(isExact ? "" : "at least ")\(values)")
      }
      values[index] = told.values[index]
    }
    roundingMicroseconds = 0
  }

  /// Adds what a child used.
  mutating func add(_ child: ModelUsage) {
    for index in 0..<5 { values[index] += child.values[index] }
    values[5] = max(values[5], child.values[5])
    signalCount += child.signalCount
    roundingMicroseconds += 1
  }
}
