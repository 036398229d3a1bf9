// What a process has asked for when signals come (sigaction(2)). Made when a process first asks for something; relatives share
// it until one of them asks for something else.
//
// Invariants
// - The record belongs to this object alone.
// - Which signals are caught and which are ignored the process itself knows (`Process.caughtSignals`, `ignoredSignals`):
//   execve(2) resets that, and nothing here.

public import ABI
import Memory
import Files
public import Primitives

/// The record, in a frame of its own.
struct SignalActionRecord: BitwiseCopyable {
  /// SA_ONSTACK
  var onStack = SignalSet()
  /// Not SA_RESTART.
  var interrupts = SignalSet()
  /// SA_RESETHAND
  var resetsHandler = SignalSet()
  /// SA_NODEFER
  var noDefer = SignalSet()
  /// SA_SIGINFO
  var wantsInformation = SignalSet()
  /// The handlers, by number less one.
  var handlers = [128 of UInt64](repeating: 0)
  /// What is held back while they run.
  var masks = [128 of SignalSet](repeating: SignalSet())
}

/// The actions of a process.
public final class SignalActions: Nameable {
  private let memory: MemorySystem
  private let pool: Pool<SignalActionRecord>
  private let handle: Handle<SignalActionRecord>
  /// Whose kernel memory it is.
  let account: UserAccount
  /// Processes that have it.
  var ownerCount = 1
  /// The inspection that visited it last.
  var inspection: UInt32 = 0

  private init(
    _ memory: MemorySystem, _ pool: Pool<SignalActionRecord>, _ handle: Handle<SignalActionRecord>,
    _ account: UserAccount
  ) {
    self.memory = memory
    self.pool = pool
    self.handle = handle
    self.account = account
    account.countKernelMemory(SignalActions.kernelByteCount)
  }

  deinit {
    account.countKernelMemory(-SignalActions.kernelByteCount)
    _ = pool.take(handle, memory)
  }

  /// What it takes of the kernel's memory.
  static var kernelByteCount: Int { Int(Page.byteCount) }

  /// Actions as at the start of a program, or those of others. Throws ENOMEM.
  static func make(
    _ memory: MemorySystem, _ pool: Pool<SignalActionRecord>, copyOf other: SignalActions?, for account: UserAccount
  ) throws(Errno) -> SignalActions {
    let handle: Handle<SignalActionRecord>?
    if let other {
      handle = pool.allocate(copyOf: other.handle, memory)
    } else {
      handle = pool.allocate(SignalActionRecord(), memory)
    }
    guard let handle else { throw .enomem }
    return SignalActions(memory, pool, handle, account)
  }

  /// The record.
  var record: SignalActionRecord {
    _read { yield pool[handle] }
    _modify { yield &pool[handle] }
  }

  private func index(_ signal: Signal) -> Int { Int(signal.rawValue) - 1 }

  /// The handler of a signal that is caught.
  func handler(_ signal: Signal) -> UInt64 { pool[handle].handlers[index(signal)] }
  /// What is held back while it runs.
  func mask(_ signal: Signal) -> SignalSet { pool[handle].masks[index(signal)] }

  /// Changes the action for a signal.
  func set(_ signal: Signal, handler: UInt64, mask: SignalSet, flags: SignalActionFlags) {
    let index = index(signal)
    pool[handle].handlers[index] = handler
    pool[handle].masks[index] = mask
    pool[handle].onStack.set(signal, flags.contains(.onStack))
    pool[handle].interrupts.set(signal, !flags.contains(.restart))
    pool[handle].resetsHandler.set(signal, flags.contains(.resetHandler))
    pool[handle].noDefer.set(signal, flags.contains(.noDefer))
    pool[handle].wantsInformation.set(signal, flags.contains(.information) && handler > SignalAction.ignore)
  }

  /// The flags that sigaction(2) reports, those of SIGCHLD alone left out.
  func flags(_ signal: Signal) -> SignalActionFlags {
    var flags: SignalActionFlags = []
    if pool[handle].onStack.contains(signal) { flags.insert(.onStack) }
    if !pool[handle].interrupts.contains(signal) { flags.insert(.restart) }
    if pool[handle].resetsHandler.contains(signal) { flags.insert(.resetHandler) }
    if pool[handle].noDefer.contains(signal) { flags.insert(.noDefer) }
    if pool[handle].wantsInformation.contains(signal) { flags.insert(.information) }
    return flags
  }
}

/// One action, as sigaction(2) tells it.
public struct SignalActionDescription {
  /// The handler, or SIG_DFL or SIG_IGN.
  public var handler: UInt64
  /// sa_flags
  public var flags: SignalActionFlags
  /// sa_mask
  public var mask: SignalSet

  /// Describes an action.
  public init(handler: UInt64, flags: SignalActionFlags, mask: SignalSet) {
    self.handler = handler
    self.flags = flags
    self.mask = mask
  }
}

extension Process {
  /// What the process has asked for.
  public func action(_ signal: Signal) -> SignalActionDescription {
    var result = SignalActionDescription(handler: SignalAction.standard, flags: .restart, mask: SignalSet())
    if let actions {
      result.flags = actions.flags(signal)
      result.mask = actions.mask(signal)
    }
    if caughtSignals.contains(signal) {
      result.handler = actions?.handler(signal) ?? 0
    } else {
      // Gone with a handler that was for one signal, or for another program.
      result.flags.remove(.information)
      if ignoredSignals.contains(signal) { result.handler = SignalAction.ignore }
    }
    if signal == .sigchld {
      if forgetsChildren { result.flags.insert(.noChildWait) }
      if ignoresChildStops { result.flags.insert(.noChildStop) }
    }
    return result
  }

  /// Whether a signal that comes now is ignored.
  func ignores(_ signal: Signal) -> Bool {
    if ignoredSignals.contains(signal) { return signal != .sigcont }
    return SignalSet.ignoredByDefault.contains(signal) && !caughtSignals.contains(signal)
  }
}

extension ProcessSystem {
  /// Changes an action (sigaction(2)). The caller has made sure of the heap's reserve. Throws ENOMEM.
  public func setAction(_ signal: Signal, _ action: SignalActionDescription, of process: Process) throws(Errno) {
    try ownActions(of: process).set(
      signal, handler: action.handler, mask: action.mask.subtracting(.unblockable), flags: action.flags)
    process.caughtSignals.set(signal, action.handler > SignalAction.ignore)
    process.ignoredSignals.set(signal, action.handler == SignalAction.ignore)
    if signal == .sigchld {
      process.ignoresChildStops = action.flags.contains(.noChildStop)
      process.forgetsChildren = action.flags.contains(.noChildWait)
    }
    let isIgnored =
      action.handler == SignalAction.ignore
      || action.handler == SignalAction.standard
        && (SignalSet.ignoredByDefault.contains(signal) || signal == .sigcont)
    if isIgnored { discard(SignalSet(of: signal), of: process) }
  }

  /// The actions of a process, which are nobody else's. Throws ENOMEM, too when the user may have no more kernel memory.
  private func ownActions(of process: Process) throws(Errno) -> SignalActions {
    if let actions = process.actions, actions.ownerCount == 1 { return actions }
    guard process.credentials.account.mayMakeKernelMemory else { throw .enomem }
    let actions = try SignalActions.make(
      memory, actionRecords, copyOf: process.actions, for: process.credentials.account)
    process.actions?.ownerCount -= 1
    process.actions = actions
    return actions
  }

  /// A child has the same actions as its parent.
  func shareActions(of parent: Process, with child: Process) {
    child.caughtSignals = parent.caughtSignals
    child.ignoredSignals = parent.ignoredSignals
    child.forgetsChildren = parent.forgetsChildren
    child.ignoresChildStops = parent.ignoresChildStops
    guard let actions = parent.actions else { return }
    actions.ownerCount += 1
    child.actions = actions
  }

  /// The process gives up its actions.
  func leaveActions(_ process: Process) {
    guard let actions = process.actions else { return }
    actions.ownerCount -= 1
    process.actions = nil
  }
}
