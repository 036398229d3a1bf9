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
    if error == Errno.enomem.rawValue && step.operation.call?.givesBack(self, process) == true {
      throw Difference("a call that gives back was refused")
    }
    switch step.operation.call {
    case let map as MapCall:
      // mmap(2) marks the object as accessed even when the mapping is refused in the end (spec shm.md 2.5).
      process.file(map.descriptor)?.object?.accessTime.latest = now.latest
    case let wait as WaitCall where error == Errno.efault.rawValue:
      // The report was taken before it could not be stored.
      guard reporting(to: process, wait.target, wait.options).count == 1 else { return false }
      try apply(.misplaced(.output, 8, .call(wait)), by: step.process, observed)
    // The packet may be gone.
    case is ReceivePacketCall: return false
    case let action as SignalActionCall where action.handler != nil && action.wantsOld: return false
    default: break
    }
    return !step.leavesPartialTransfers
  }

  /// The operation of a step as far as it got: where a page of the program could not be read from swap, a write to the
  /// console counts what went before.
  func performedPart(of step: ScriptStep, _ observed: Observation) -> Operation {
    guard step.failure?.point.isTransfer == true, case .value(let count) = observed,
      var write = step.operation.call as? WriteCall, count < write.byteCount,
      processes[step.process]?.file(write.descriptor)?.isConsole == true
    else { return step.operation }
    write.byteCount = Int(count)
    return .call(write)
  }
}

extension ScriptStep {
  /// Whether an error leaves bytes moved that the model does not know of.
  var leavesPartialTransfers: Bool {
    let call = operation.call
    return (call is ReadCall || call is WriteCall || call is VectorCall) && failure?.point.isTransfer == true
  }
}

extension Operation {
  /// The errors that the specification gives an operation for want of memory, or for a device that fails.
  func errorsOfFailure(_ point: FailurePoint) -> [Errno] {
    if case .through(_, let inner) = self {
      // The sixth argument lies on the stack.
      return inner.errorsOfFailure(point) + (point.isTransfer ? [.efault] : [])
    }
    guard let call else { return [] }
    return point.isTransfer ? call.transferErrors : call.memoryErrors
  }
}
