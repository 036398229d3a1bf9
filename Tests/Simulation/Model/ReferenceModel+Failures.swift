// What operations may give when something was made to fail (the errors of the specification), and what they leave then.
import ABI
import Primitives

extension ReferenceModel {
  /// Checks the error that an injected failure caused; nothing else may have changed. Returns whether the model still knows
  /// everything.
  func refuse(_ step: ScriptStep, _ observed: Observation, _ error: Int32) throws(Difference) -> Bool {
    guard let process = processes[step.process] else { return true }
    if error == -1 {
      // A page that cannot be read from swap ends the program that needs it.
      _ = exit(process, .terminated(.sigbus))
      return true
    }
    guard step.operation.errorsOfFailure(step.failure?.point ?? .frame).contains(where: { $0.rawValue == error }) else {
      // Not an error of the failure: then it is the one that the operation gives anyway.
      try apply(step.operation, by: step.process, observed)
      return true
    }
    if error == Errno.enomem.rawValue && givesBack(step.operation.innermost, process) {
      throw Difference("a call that gives back was refused")
    }
    switch step.operation.innermost {
    case .map(_, _, _, _, let descriptor, _):
      // mmap(2) marks the object as accessed even when the mapping is refused in the end (spec shm.md 2.5).
      process.file(descriptor)?.object?.accessTime.latest = now.latest
    case .wait(let target, let options, _) where error == Errno.efault.rawValue:
      // The report was taken before it could not be stored.
      guard reporting(to: process, target, options).count == 1 else { return false }
      try apply(.misplaced(.output, 8, step.operation.innermost), by: step.process, observed)
    case .signalAction(_, .some, wantsOld: true): return false
    default: break
    }
    return !step.leavesPartialTransfers
  }

  /// Whether a call only gives back: for that no memory is ever lacking.
  private func givesBack(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation {
    case .truncate(let descriptor, let length):
      process.file(descriptor)?.object.map { length <= $0.size } ?? false
    case .protect(_, _, let protection): protection & 2 == 0
    case .setBreak(let address): address <= process.breakAddress
    case .unmap: true
    default: false
    }
  }

  /// The operation of a step as far as it got: where a page of the program could not be read from swap, a write to the
  /// console counts what went before.
  func performedPart(of step: ScriptStep, _ observed: Observation) -> Operation {
    guard step.failure?.point.isTransfer == true, case .value(let count) = observed,
      case .write(let descriptor, let address, let byteCount, let offset) = step.operation.innermost, count < byteCount,
      processes[step.process]?.file(descriptor)?.isConsole == true
    else { return step.operation }
    return .write(descriptor: descriptor, address: address, byteCount: Int(count), offset: offset)
  }
}

extension ScriptStep {
  /// Whether an error leaves bytes moved that the model does not know of.
  var leavesPartialTransfers: Bool {
    switch operation.innermost {
    case .read, .write: failure?.point.isTransfer ?? false
    default: false
    }
  }
}

extension Operation {
  /// The errors that the specification gives an operation for want of memory, or for a device that fails.
  func errorsOfFailure(_ point: FailurePoint) -> [Errno] {
    if case .through(_, let inner) = self {
      // The sixth argument lies on the stack.
      return inner.errorsOfFailure(point) + (point.isTransfer ? [.efault] : [])
    }
    if point.isTransfer {
      // A page of the caller that cannot be read is a bad address; one of the object is an input/output error.
      switch self {
      case .read, .write, .truncate, .execute: return [.eio, .efault]
      // The structure of a lock.
      case .fileControl: return [.efault]
      default: return CallPointer.allCases.contains { use(of: $0) != nil } ? [.efault] : []
      }
    }
    switch self {
    case .sharedMemoryOpen, .open: return [.enfile, .emfile, .enomem]
    case .truncate, .map, .protect, .unmap, .execute, .write, .setBreak: return [.enomem]
    case .fork: return [.enomem, .eagain]
    case .duplicate, .duplicateTo, .fileControl: return [.emfile, .enfile, .enomem]
    case .setGroups: return [.enomem]
    default: return []
    }
  }
}
