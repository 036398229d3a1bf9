// What operations may give when something was made to fail (the errors of the specification), and what they leave then.
import ABI

extension ReferenceModel {
  /// Checks the error that an injected failure caused; nothing else may have changed.
  func refuse(_ step: ScriptStep, _ observed: Observation, _ error: Int32) throws(Difference) {
    guard let process = processes[step.process] else { return }
    if error == -1 {
      // A page that cannot be read from swap ends the program that needs it.
      _ = exit(process, .terminated(.sigbus))
      return
    }
    if step.operation.errorsOfFailure(step.failure?.kind ?? .frame).contains(where: { $0.rawValue == error }) {
      // mmap(2) marks the object as accessed even when the mapping is refused in the end (spec shm.md 2.5).
      if case .map(_, _, _, _, let descriptor, _) = step.operation, let object = process.file(descriptor)?.object {
        object.accessTime.latest = now.latest
      }
      return
    }
    // Not an error of the failure: then it is the one that the operation gives anyway.
    try apply(step.operation, by: step.process, observed)
  }
}

extension ScriptStep {
  /// Whether an error leaves bytes moved that the model does not know of.
  var leavesPartialTransfers: Bool {
    switch operation {
    case .read, .write: failure?.kind.isTransfer ?? false
    default: false
    }
  }
}

extension Operation {
  /// The errors that the specification gives an operation for want of memory, or for a device that fails.
  func errorsOfFailure(_ kind: InjectedFailure.Kind) -> [Errno] {
    if kind.isTransfer {
      // A page of the caller that cannot be read is a bad address; one of the object is an input/output error.
      switch self {
      case .read, .write, .truncate: return [.eio, .efault]
      case .sharedMemoryOpen, .sharedMemoryUnlink, .status, .wait, .sleep, .clock, .setGroups, .execute:
        return [.efault, .eio]
      default: return []
      }
    }
    switch self {
    case .sharedMemoryOpen: return [.enfile, .emfile, .enomem]
    case .truncate, .map, .protect, .unmap, .execute, .write: return [.enomem]
    case .fork: return [.enomem, .eagain]
    case .duplicate, .duplicateTo, .fileControl: return [.emfile, .enfile, .enomem]
    case .setGroups, .setIdentity: return [.enomem]
    default: return []
    }
  }
}
