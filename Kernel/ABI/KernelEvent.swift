// `struct kevent` in both layouts (spec kqueue.md section 1).

/// The kinds of things that a queue can watch.
public struct EventFilter: Equatable, BitwiseCopyable, Sendable {
  /// The number that programs see.
  public let rawValue: Int16

  /// Wraps a value of the binary interface.
  public init(rawValue: Int16) { self.rawValue = rawValue }

  /// EVFILT_READ
  public static let read = EventFilter(rawValue: -1)
  /// EVFILT_WRITE
  public static let write = EventFilter(rawValue: -2)
  /// EVFILT_AIO
  public static let asynchronous = EventFilter(rawValue: -3)
  /// EVFILT_VNODE
  public static let node = EventFilter(rawValue: -4)
  /// EVFILT_PROC
  public static let process = EventFilter(rawValue: -5)
  /// EVFILT_SIGNAL
  public static let signal = EventFilter(rawValue: -6)
  /// EVFILT_TIMER
  public static let timer = EventFilter(rawValue: -7)
  /// EVFILT_PROCDESC
  public static let processDescriptor = EventFilter(rawValue: -8)
  /// EVFILT_FS
  public static let fileSystems = EventFilter(rawValue: -9)
  /// EVFILT_LIO
  public static let list = EventFilter(rawValue: -10)
  /// EVFILT_USER
  public static let user = EventFilter(rawValue: -11)
  /// EVFILT_SENDFILE
  public static let sendfile = EventFilter(rawValue: -12)
  /// EVFILT_EMPTY
  public static let empty = EventFilter(rawValue: -13)
  /// How many there are.
  public static let count: Int16 = 13

  /// Whether it exists.
  public var isKnown: Bool { rawValue < 0 && rawValue >= -EventFilter.count }
  /// Whether its identifier is a descriptor.
  public var isOfDescriptor: Bool {
    self == .read || self == .write || self == .node || self == .processDescriptor || self == .empty
  }
}

/// `flags` of a kevent.
public struct EventFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits that programs see.
  public let rawValue: UInt16
  /// Wraps a value of the binary interface.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// EV_ADD
  public static let add = EventFlags(rawValue: 0x0001)
  /// EV_DELETE
  public static let delete = EventFlags(rawValue: 0x0002)
  /// EV_ENABLE
  public static let enable = EventFlags(rawValue: 0x0004)
  /// EV_DISABLE
  public static let disable = EventFlags(rawValue: 0x0008)
  /// EV_ONESHOT
  public static let oneShot = EventFlags(rawValue: 0x0010)
  /// EV_CLEAR
  public static let clear = EventFlags(rawValue: 0x0020)
  /// EV_RECEIPT
  public static let receipt = EventFlags(rawValue: 0x0040)
  /// EV_DISPATCH
  public static let dispatch = EventFlags(rawValue: 0x0080)
  /// EV_FORCEONESHOT
  public static let forceOneShot = EventFlags(rawValue: 0x0100)
  /// EV_KEEPUDATA
  public static let keepUserData = EventFlags(rawValue: 0x0200)
  /// EV_AFFINITY, which has the same bit: with EV_ADD, on a queue that knows threads apart.
  public static let affinity = EventFlags(rawValue: 0x0200)
  /// EV_REALTIME
  public static let realTime = EventFlags(rawValue: 0x0400)
  /// EV_SYSFLAGS: what no change may say
  public static let system = EventFlags(rawValue: 0xf000)
  /// EV_ERROR
  public static let error = EventFlags(rawValue: 0x4000)
  /// EV_EOF
  public static let end = EventFlags(rawValue: 0x8000)
}

/// `fflags` of a kevent.
public enum EventNotes {
  /// NOTE_LOWAT
  public static let lowWater: UInt32 = 1
  /// NOTE_FILE_POLL
  public static let alwaysReady: UInt32 = 2
  /// NOTE_EXIT
  public static let exit: UInt32 = 0x8000_0000
  /// NOTE_FORK
  public static let fork: UInt32 = 0x4000_0000
  /// NOTE_EXEC
  public static let execute: UInt32 = 0x2000_0000
  /// NOTE_TRACK
  public static let track: UInt32 = 1
  /// NOTE_TRACKERR
  public static let trackError: UInt32 = 2
  /// NOTE_CHILD
  public static let child: UInt32 = 4
  /// NOTE_SECONDS
  public static let seconds: UInt32 = 1
  /// NOTE_MSECONDS
  public static let milliseconds: UInt32 = 2
  /// NOTE_USECONDS
  public static let microseconds: UInt32 = 4
  /// NOTE_NSECONDS
  public static let nanoseconds: UInt32 = 8
  /// All of these.
  public static let timerUnits: UInt32 = 15
  /// NOTE_ABSTIME
  public static let absoluteTime: UInt32 = 0x10
  /// NOTE_TRIGGER
  public static let trigger: UInt32 = 0x0100_0000
  /// NOTE_FFCTRLMASK
  public static let userControl: UInt32 = 0xc000_0000
  /// NOTE_FFAND
  public static let userAnd: UInt32 = 0x4000_0000
  /// NOTE_FFOR
  public static let userOr: UInt32 = 0x8000_0000
  /// NOTE_FFCOPY
  public static let userCopy: UInt32 = 0xc000_0000
  /// NOTE_FFLAGSMASK
  public static let userFlags: UInt32 = 0x00ff_ffff
}

/// A change that a program asks for, or an event that it is told.
public struct KernelEvent: BitwiseCopyable, Sendable {
  /// What is watched: a descriptor, a process, a number.
  public var identifier: UInt64 = 0
  /// In which way.
  public var filter = EventFilter(rawValue: 0)
  /// What is to be done, or what has happened.
  public var flags: EventFlags = []
  /// What the filter is asked, or says.
  public var filterFlags: UInt32 = 0
  /// How much.
  public var data: Int64 = 0
  /// The program's own.
  public var userData: UInt64 = 0
  /// The program's own, in the larger layout.
  public var extensions = [4 of UInt64](repeating: 0)

  /// Nothing.
  public init() {}

  /// The bytes of the layout: of kevent(2) as it is, or of FreeBSD 11's.
  public static func byteCount(isOld: Bool) -> Int { isOld ? 32 : 64 }

  /// Reads one at an offset.
  public init(decoding bytes: Span<UInt8>, at offset: Int, isOld: Bool) {
    identifier = bytes.loadUInt64(at: offset)
    let word = bytes.loadUInt32(at: offset + 8)
    filter = EventFilter(rawValue: Int16(truncatingIfNeeded: Int32(bitPattern: word)))
    flags = EventFlags(rawValue: UInt16(truncatingIfNeeded: word >> 16))
    filterFlags = bytes.loadUInt32(at: offset + 12)
    data = Int64(bitPattern: bytes.loadUInt64(at: offset + 16))
    userData = bytes.loadUInt64(at: offset + 24)
    if isOld { return }
    for index in 0..<4 { extensions[index] = bytes.loadUInt64(at: offset + 32 + 8 * index) }
  }

  /// The words of the larger layout, in order; the smaller one has the first four.
  public var words: [8 of UInt64] {
    var words = [8 of UInt64](repeating: 0)
    words[0] = identifier
    words[1] =
      UInt64(UInt16(bitPattern: filter.rawValue)) | UInt64(flags.rawValue) << 16 | UInt64(filterFlags) << 32
    words[2] = UInt64(bitPattern: data)
    words[3] = userData
    for index in 0..<4 { words[4 + index] = extensions[index] }
    return words
  }
}
