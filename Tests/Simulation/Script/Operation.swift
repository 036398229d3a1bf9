// What a scripted program can do, with plain numbers as arguments so that wrong ones can be written down too.

public import ABI
public import Primitives

/// One operation of a scripted process: a system call or an access of memory.
public enum Operation: Equatable, Sendable, Codable {
  /// A system call (`Calls`).
  case systemCall(MadeCall)
  /// The operation through `syscall`, or `__syscall` if `isWide`.
  indirect case through(isWide: Bool, Operation)
  /// The operation with one of its pointers pointing elsewhere.
  indirect case misplaced(CallPointer, UInt64, Operation)
  /// Loads bytes that lie in one page.
  case load(address: UInt64, byteCount: Int)
  /// Stores a pattern in bytes that lie in one page.
  case store(address: UInt64, byteCount: Int, pattern: UInt8)
  /// Fetches an instruction.
  case fetch(address: UInt64)
  /// No operation of a program: the machine reclaims as many frames as it can.
  case evict
  /// No operation of a program: bytes arrive on the console.
  case type(String)

  /// A system call.
  static func call(_ call: any SimulatedCall) -> Operation { .systemCall(MadeCall(call)) }
}

/// The process, or processes, that a call is told.
public enum ProcessTarget: Equatable, Sendable, Codable {
  /// 0: the caller or its group.
  case caller
  /// −1
  case all
  /// A process of the script, by its number there.
  case process(Int)
  /// Minus the identifier of a process of the script: the group that it led or leads.
  case group(Int)
  /// The number itself.
  case raw(Int32)
}

/// What a sysctl(3) call asks for.
public enum ControlName: Equatable, Sendable, Codable {
  /// `__sysctlbyname`
  case name(String)
  /// `__sysctl`
  case numbers([Int32])
}

/// A pointer among the arguments of a call.
public enum CallPointer: String, Sendable, Codable, CaseIterable {
  /// To the path.
  case path
  /// To what the call reads.
  case input
  /// To what the call fills.
  case output
  /// To the second structure that it fills, or to the length of sysctl(3).
  case second
  /// To the third.
  case third
}

/// Which of a process' identities.
public enum IdentityKind: Sendable, Codable {
  /// The real user.
  case user
  /// The effective user.
  case effectiveUser
  /// The real group.
  case group
  /// The effective group.
  case effectiveGroup
}

/// What is made to fail during a step.
public struct InjectedFailure: Equatable, Sendable, Codable {
  /// What fails.
  public var point: FailurePoint
  /// Which one of them, counted from 1 at the start of the step.
  public var number: UInt32

  /// The failure of the `number`th evaluation of a fail point.
  public init(_ point: FailurePoint, number: UInt32) {
    self.point = point
    self.number = number
  }
}

extension FailurePoint: Codable {
  /// Whether it is a transfer of the device that fails.
  public var isTransfer: Bool { self == .transfer || self == .transferRead || self == .transferWrite }
}

/// One step of a script.
public struct ScriptStep: Equatable, Sendable, Codable {
  /// The process that does it; 0 is process 1.
  public var process: Int
  /// Which of its threads; 0 is the one it began with.
  public var thread = 0
  /// What it does.
  public var operation: Operation
  /// What the machine does around it (ticks, evictions, speculation) is drawn from this.
  public var noise: UInt64
  /// What is made to fail meanwhile.
  public var failure: InjectedFailure?

  /// A step.
  public init(
    _ process: Int, thread: Int = 0, _ operation: Operation, noise: UInt64 = 0, failure: InjectedFailure? = nil
  ) {
    self.failure = failure
    self.process = process
    self.thread = thread
    self.operation = operation
    self.noise = noise
  }
}

extension ScriptStep {
  /// A step that is a system call.
  init(
    _ process: Int, thread: Int = 0, _ call: any SimulatedCall, noise: UInt64 = 0, failure: InjectedFailure? = nil
  ) {
    self.init(process, thread: thread, .call(call), noise: noise, failure: failure)
  }
}

/// What an operation gave, as the program sees it.
public enum Observation: Equatable, Sendable {
  /// Carry clear: the first result register.
  case value(UInt64)
  /// Carry set: errno.
  case error(Int32)
  /// Bytes loaded from memory.
  case bytes([UInt8])
  /// The process is gone: it exited or a signal ended it.
  case ended
  /// The call waits for another process, for input, or to be continued.
  case blocked
  /// A handler has begun in the place of the access, or before the call begins anew.
  case handled
}

extension Operation {
  /// The pattern that `store` and the buffers of writes are filled with: different in every byte, recognisable by its start.
  static func patternBytes(_ pattern: UInt8, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: Int(pattern) &+ $0 &* 7) }
  }

  /// The operation inside those that only change how it is called.
  public var innermost: Operation {
    switch self {
    case .through(_, let inner), .misplaced(_, _, let inner): inner.innermost
    default: self
    }
  }

  /// The system call that the operation makes, however it is called.
  var call: (any SimulatedCall)? {
    if case .systemCall(let made) = innermost { made.call } else { nil }
  }

  /// The numbers of the system calls that the operation makes; none for accesses of memory and what the machine does.
  public var systemCalls: [SystemCallNumber] {
    switch self {
    case .through(let isWide, let inner): [isWide ? .syscallWide : .syscall] + inner.systemCalls
    case .misplaced(_, _, let inner): inner.systemCalls
    case .systemCall(let made): [made.call.number]
    default: []
    }
  }

  /// What a pointer of the call points to, if it is one that may point elsewhere.
  func use(of pointer: CallPointer) -> PointerUse? {
    call?.arguments.lazy.compactMap(\.use).first { $0.pointer == pointer }?.bytes
  }

  /// Whether the operation changes maps, objects, names or memory.
  public var changesState: Bool {
    switch self {
    case .systemCall(let made): made.call.changesState
    case .through(_, let operation): operation.changesState
    case .store: true
    default: false
    }
  }

  /// The operation as Swift source, nearly.
  public var source: String {
    switch self {
    case .systemCall(let made): "\(made)"
    case .through(let isWide, let inner): ".through(isWide: \(isWide), \(inner.nestedSource))"
    case .misplaced(let pointer, let address, let inner): ".misplaced(.\(pointer), \(address), \(inner.nestedSource))"
    default: ".\(self)"
    }
  }

  private var nestedSource: String {
    if case .systemCall = self { ".call(\(source))" } else { source }
  }
}

extension ScriptStep {
  /// The step as Swift source.
  var source: String {
    // What reflection prints is nearly source already.
    let text = operation.source.replacing("Optional(", with: "(").replacing(/Simulation\.[A-Za-z]+\./, with: ".")
    let failing = failure.map { ", failure: InjectedFailure(.\($0.point), number: \($0.number))" } ?? ""
    let who = thread == 0 ? "\(process)" : "\(process), thread: \(thread)"
    return "  ScriptStep(\(who), \(text), noise: \(noise)\(failing)),"
  }
}
