// A keyboard's scan codes (set 1, as the PC's controller translates them) to the bytes that a terminal would send: shift, caps
// lock, and control, which gives the control characters as they are, since the console is raw. A key without a character on it
// gives an escape sequence (`KeyboardLayout`), or nothing.
//
// Invariants
// - A key gives its bytes when it goes down, and again as often as the keyboard repeats it; the next scan code is accepted
//   when all of them were taken.
// - A shift or control key counts from its code for going down to that for coming up, unless the keyboard says that it lost
//   codes: then none counts.

/// What has been typed so far, as far as it says what the next key means.
public struct KeyboardDecoder: Sendable {
  private enum Prefix: Equatable {
    case none
    /// Behind 0xE0: the keys that the first keyboards did not have.
    case extended
    /// Behind 0xE1: the pause key, of which so many codes are still to come.
    case pause(Int)
  }

  private struct Modifiers: OptionSet {
    let rawValue: UInt8
    static let leftShift = Modifiers(rawValue: 1)
    static let rightShift = Modifiers(rawValue: 2)
    static let leftControl = Modifiers(rawValue: 4)
    static let rightControl = Modifiers(rawValue: 8)
  }

  private static let extendedPrefix: UInt8 = 0xE0
  private static let pausePrefix: UInt8 = 0xE1
  /// How many codes follow that prefix when the key goes down; it has none for coming up.
  private static let pauseCodeCount = 5
  /// Set in the code of a key that comes up.
  private static let release: UInt8 = 0x80
  /// What the keyboard says when it has lost codes.
  private static let overrun: UInt8 = 0xFF
  private static let capsLock: UInt8 = 0x3A

  private var prefix = Prefix.none
  private var modifiers: Modifiers = []
  private var isCapsLocked = false
  /// Whether the key for it is down: held, it repeats.
  private var capsLockIsDown = false
  /// Bytes that a key gave and nobody took yet, the next one lowest, and how many they are.
  private var waiting: UInt32 = 0
  private var waitingCount = 0

  /// A keyboard of which no key is down.
  public init() {}

  /// The next byte of the last key, which it gives up; nil when there is none.
  public mutating func takeByte() -> UInt8? {
    guard waitingCount > 0 else { return nil }
    let byte = UInt8(truncatingIfNeeded: waiting)
    waiting >>= 8
    waitingCount -= 1
    return byte
  }

  /// Takes a scan code. What an earlier key gave has to be taken before.
  public mutating func accept(_ code: UInt8) {
    guard code != Self.overrun else { return forgetKeys() }
    switch (prefix, code) {
    case (.pause(let count), _): prefix = count > 1 ? .pause(count - 1) : .none
    // Behind another prefix, too: a keyboard that is full drops what should have come between them.
    case (_, Self.extendedPrefix): prefix = .extended
    case (_, Self.pausePrefix): prefix = .pause(Self.pauseCodeCount)
    case (.extended, _):
      prefix = .none
      acceptExtended(code)
    case (.none, _): acceptPlain(code)
    }
  }

  private mutating func forgetKeys() {
    prefix = .none
    modifiers = []
    capsLockIsDown = false
  }

  private mutating func acceptPlain(_ code: UInt8) {
    let key = code & ~Self.release
    let isDown = key == code
    switch key {
    case 0x2A: set(.leftShift, isDown)
    case 0x36: set(.rightShift, isDown)
    case 0x1D: set(.leftControl, isDown)
    case Self.capsLock:
      if isDown && !capsLockIsDown { isCapsLocked.toggle() }
      capsLockIsDown = isDown
    default:
      if isDown { press(key) }
    }
  }

  private mutating func acceptExtended(_ code: UInt8) {
    let key = code & ~Self.release
    let isDown = key == code
    // The keyboard itself puts shifts with this prefix round some keys, which are none.
    if key == 0x1D {
      set(.rightControl, isDown)
    } else if isDown {
      give(KeyboardLayout.sequence(extended: key))
    }
  }

  private mutating func set(_ modifier: Modifiers, _ isDown: Bool) {
    if isDown { modifiers.insert(modifier) } else { modifiers.remove(modifier) }
  }

  private mutating func press(_ key: UInt8) {
    let isShifted = !modifiers.isDisjoint(with: [.leftShift, .rightShift])
    guard var character = KeyboardLayout.character(key, isShifted: isShifted) else { return }
    if isCapsLocked && KeyboardLayout.isLetter(character) { character ^= KeyboardLayout.letterCase }
    if !modifiers.isDisjoint(with: [.leftControl, .rightControl]) {
      character = KeyboardLayout.control(character)
    }
    waiting = UInt32(character)
    waitingCount = 1
  }

  private mutating func give(_ sequence: String) {
    waiting = 0
    for byte in sequence.utf8 {
      waiting |= UInt32(byte) << UInt32(8 * waitingCount)
      waitingCount += 1
    }
  }
}
