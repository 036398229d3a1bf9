// Random numbers that nobody can guess: ChaCha20 with fast key erasure. What programs get (by a call, from a node or a device,
// as the canary of a new program) comes from here, and every module reaches it through the kernel's services.
//
// Invariants
// - The key makes one batch of output and is overwritten by the start of it: neither the state nor any output says what was
//   handed out before.
// - A word that was handed out is zero here from then on; the words before `next` are zero.
// - Nothing is handed out before `seedRandom`.
// - Fresh words of the machine are mixed in before a batch when `RandomLimits` says so: who learnt the state loses it again.

/// When the generator takes fresh words from the machine.
enum RandomLimits {
  /// Batches after which it does …
  static let batchesPerSeed = 2048
  /// … and the time after which it does, if anything is drawn at all.
  static let nanosecondsPerSeed: UInt64 = 60_000_000_000
  /// Words that are taken from the machine at start, and later. (Four hold as much as the key.)
  static let wordsAtStart = 32
  static let wordsLater = 8
}

/// The generator's state.
struct RandomGenerator {
  private static let wordCount = 60
  private static let blockCount: UInt32 = 8
  private static let outputNonce: [3 of UInt32] = [0, 0, 0]
  private static let seedNonce: [3 of UInt32] = [0x6465_6573, 0, 0]

  private var key = [8 of UInt32](repeating: 0)
  private var words = [60 of UInt64](repeating: 0)
  private var next = RandomGenerator.wordCount
  private var batchCount = RandomLimits.batchesPerSeed
  private var seededAt: UInt64 = 0
  private(set) var isSeeded = false

  init() {}

  /// Whether a batch has to be made before `take`.
  @inline(__always)
  var isEmpty: Bool { next == RandomGenerator.wordCount }

  /// Whether fresh words of the machine are due.
  func wantsSeed(now: UInt64) -> Bool {
    batchCount >= RandomLimits.batchesPerSeed || now &- seededAt >= RandomLimits.nanosecondsPerSeed
  }

  /// The next word of the batch.
  @inline(__always)
  mutating func take() -> UInt64 {
    let word = words[next]
    words[next] = 0
    next &+= 1
    return word
  }

  /// Mixes four words into the key. What was unpredictable stays so, whatever they are.
  mutating func absorb(_ seed: [4 of UInt64]) {
    for index in 0..<4 {
      key[2 * index] ^= UInt32(truncatingIfNeeded: seed[index])
      key[2 * index + 1] ^= UInt32(truncatingIfNeeded: seed[index] >> 32)
    }
    let block = ChaCha20.block(key: key, counter: 0, nonce: RandomGenerator.seedNonce)
    for index in 0..<8 { key[index] = block[index] }
  }

  /// A seed is complete: what is left of the last batch goes.
  mutating func endSeed(now: UInt64) {
    seededAt = now
    batchCount = 0
    isSeeded = true
    for index in 0..<RandomGenerator.wordCount { words[index] = 0 }
    next = RandomGenerator.wordCount
  }

  /// Makes a batch, and the key of the next one.
  mutating func fill() {
    precondition(isSeeded)
    let old = key
    var target = 0
    for counter in 0..<RandomGenerator.blockCount {
      let block = ChaCha20.block(key: old, counter: counter, nonce: RandomGenerator.outputNonce)
      var source = 0
      if counter == 0 {
        for index in 0..<8 { key[index] = block[index] }
        source = 8
      }
      while source < 16 {
        words[target] = UInt64(block[source]) | UInt64(block[source + 1]) << 32
        source += 2
        target += 1
      }
    }
    next = 0
    batchCount += 1
  }
}

extension KernelServices {
  /// Seeds the generator from the machine's source of entropy and from what the caller knows of this start: times, places.
  ///
  /// Returns whether there is a source of entropy that delivers. (One that says the same twice is broken.) Without one, what
  /// is random here is only as hard to guess as the start's timing.
  public func seedRandom(with start: Span<UInt64>) -> Bool {
    var index = 0
    while index < start.count {
      var words = [4 of UInt64](repeating: 0)
      for place in 0..<min(4, start.count - index) { words[place] = start[index + place] }
      random.absorb(words)
      index += 4
    }
    let isGood = absorbEntropy(wordCount: RandomLimits.wordsAtStart)
    random.endSeed(now: nanoseconds)
    return isGood
  }

  private func absorbEntropy(wordCount: Int) -> Bool {
    var previous: UInt64?
    var isGood = true
    for _ in 0..<wordCount / 4 {
      var words = [4 of UInt64](repeating: 0)
      for place in 0..<4 {
        guard let word = processor.drawEntropy(), word != previous else {
          isGood = false
          continue
        }
        words[place] = word
        previous = word
      }
      random.absorb(words)
    }
    // When it was drawn says a little too.
    random.absorb([nanoseconds, 0, 0, 0])
    return isGood
  }

  /// Mixes in what somebody wrote to /dev/random. Whatever it is, what nobody could guess stays so; the next batch differs.
  public func stirRandom(_ words: [4 of UInt64]) { random.absorb(words) }

  /// 64 random bits.
  @inline(__always)
  public func randomWord() -> UInt64 {
    if random.isEmpty { fillRandom() }
    return random.take()
  }

  @inline(never)
  private func fillRandom() {
    if random.wantsSeed(now: nanoseconds) {
      _ = absorbEntropy(wordCount: RandomLimits.wordsLater)
      random.endSeed(now: nanoseconds)
    }
    random.fill()
  }
}
