// break(2) and setting limits that memory obeys, naively.
import ABI

extension ReferenceModel {
  /// Whether RLIMIT_AS allows so many bytes more.
  func exceedsAddressSpace(_ process: ModelProcess, _ byteCount: UInt64) -> Bool {
    let limit = process.limits[10].soft
    return limit != ModelLimit.infinity && process.virtualByteCount + byteCount > UInt64(max(0, limit))
  }

  func setBreak(_ process: ModelProcess, _ address: UInt64) -> Expectation {
    let old = process.breakAddress / 4096
    let new = (address &+ 4095) / 4096
    // Below the data segment, or so high that it wraps: nothing but the answer.
    if new < Program.data / 4096 { return .value(process.breakAddress) }
    if new > old {
      if new * 4096 - Program.data > UInt64(max(0, process.limits[2].soft)) { return .error(.enomem) }
      if new * 4096 > Self.userEnd { return .error(.enomem) }
      if exceedsAddressSpace(process, (new - old) * 4096) { return .error(.enomem) }
      if (old..<new).contains(where: { process.memory[$0] != nil }) { return .error(.enomem) }
      let user = process.credentials.realUser
      if isRefused(new - old, for: user, by: process) { return .error(.enomem) }
      for page in old..<new {
        var view = ModelView(protection: 3, maximum: 7, isShared: false)
        view.chargedUser = user
        process.memory[page] = view
      }
    } else {
      for page in new..<old { process.memory[page] = nil }
    }
    process.breakAddress = new * 4096
    return .value(new * 4096)
  }
}
