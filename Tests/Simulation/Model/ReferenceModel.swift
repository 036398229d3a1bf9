// The reference model: what the specification says a program sees, kept in dictionaries and byte arrays.
//
// The kernel goes first; then the model is told what it gave, checks it, and takes over what the specification leaves to
// the kernel (addresses chosen by mmap, process identifiers, inode numbers).
import ABI

/// A difference between the kernel and the model.
public struct Difference: Error, CustomStringConvertible {
  /// What differs.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// All processes, names and objects of one simulated system, as they ought to be.
public final class ReferenceModel {
  var processes: [Int: ModelProcess] = [:]
  var names: [String: ModelObject] = [:]
  var lastInode: UInt64 = 0
  /// When the operation being checked took effect, at the earliest and at the latest (nanoseconds since 1970).
  var now = ModelInstant(earliest: 0, latest: 0)
  /// A buffer that the kernel filled, as read back by the driver after the call.
  var output: [UInt8] = []

  /// A system with process 1 only, its console on 0, 1 and 2, and its memory as the loader left it.
  init(first: ModelProcess) {
    processes[0] = first
    let console = ModelFile(kind: .console, isReadable: true, isWritable: true)
    for number in 0...2 { first.descriptors[Int32(number)] = ModelDescriptor(file: console, closesOnExec: false) }
  }

  /// The processes that have not ended.
  var running: [ModelProcess] {
    processes.values.filter { $0.state == .running }.sorted { $0.number < $1.number }
  }

  /// Checks what process `number` got from `operation` and takes over its effects.
  func apply(_ operation: Operation, by number: Int, _ observed: Observation) throws(Difference) {
    guard let process = processes[number] else { throw Difference("no process \(number) in the model") }
    let expected = try expectation(operation, process, observed)
    switch (expected, observed) {
    case (.anything, _): return
    case (.value(let wanted), .value(let got)) where wanted == got: return
    case (.error(let wanted), .error(let got)) where wanted.rawValue == got: return
    case (.bytes(let wanted), .bytes(let got)):
      if let at = wanted.indices.first(where: { $0 >= got.count || wanted[$0] != got[$0] }) {
        throw Difference("byte \(at) is \(at < got.count ? String(got[at]) : "missing"), expected \(wanted[at])")
      }
    case (.ended, .ended): return
    default: throw Difference("got \(observed), expected \(expected)")
    }
  }

  private func expectation(
    _ operation: Operation, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    switch operation {
    case .sharedMemoryOpen(let name, let flags, let mode, let extra, let is2008):
      sharedMemoryOpen(process, name, flags, mode, extra, is2008)
    case .sharedMemoryUnlink(let name): sharedMemoryUnlink(process, name)
    case .truncate(let descriptor, let length): truncate(process, descriptor, length)
    case .status(let descriptor): try status(process, descriptor)
    case .changeMode(let descriptor, let mode): changeMode(process, descriptor, mode)
    case .changeOwner(let descriptor, let user, let group): changeOwner(process, descriptor, user, group)
    case .map(let address, let byteCount, let protection, let flags, let descriptor, let offset):
      try map(
        process,
        MapArguments(
          address: address, byteCount: byteCount, protection: protection, flags: flags, descriptor: descriptor,
          offset: offset), observed)
    case .unmap(let address, let byteCount): unmap(process, address, byteCount)
    case .protect(let address, let byteCount, let protection): protect(process, address, byteCount, protection)
    case .close(let descriptor): close(process, descriptor)
    case .duplicate(let descriptor): duplicate(process, descriptor)
    case .duplicateTo(let descriptor, let target): duplicate(process, descriptor, to: target)
    case .fileControl(let descriptor, let command, let argument): fileControl(process, descriptor, command, argument)
    case .read(let descriptor, let address, let byteCount, let offset):
      try read(process, descriptor, address, byteCount, offset)
    case .write(let descriptor, let address, let byteCount, let offset):
      write(process, descriptor, address, byteCount, offset)
    case .seek(let descriptor, let offset, let origin): seek(process, descriptor, offset, origin)
    case .fork(let child): try fork(process, child, observed)
    case .exit(let status): exit(process, .exited(status))
    case .wait(let child, let options): try wait(process, child, options, observed)
    case .execute: execute(process)
    case .processIdentifier: .value(UInt64(process.identifier))
    case .parentIdentifier: .value(process.number == 0 ? 0 : UInt64(processes[process.parent]?.identifier ?? 0))
    case .identity(let kind): .value(UInt64(identity(process, kind)))
    case .setIdentity(let kind, let value): setIdentity(process, kind, value)
    case .setGroups(let groups): setGroups(process, groups)
    case .mask(let mask): self.mask(process, mask)
    case .kill(let target, let signal): kill(process, target, signal)
    case .sleep(let nanoseconds): nanoseconds < 0 ? .error(.einval) : .value(0)
    case .clock: try clock()
    case .yield: .value(0)
    case .load(let address, let byteCount):
      memoryAccess(process, address, byteCount, write: false) { .bytes(process.load(address, byteCount)) }
    case .store(let address, let byteCount, let pattern):
      memoryAccess(process, address, byteCount, write: true) {
        process.store(Operation.patternBytes(pattern, count: byteCount), at: address)
        return .value(0)
      }
    case .fetch, .evict: .anything
    }
  }

  private func memoryAccess(
    _ process: ModelProcess, _ address: UInt64, _ byteCount: Int, write: Bool, _ effect: () -> Expectation
  ) -> Expectation {
    switch process.access(address, byteCount, write: write) {
    case .fine: return effect()
    case .signal(let signal, _): return exit(process, .terminated(Signal(rawValue: signal)))
    case .open: return .anything
    }
  }

  private func clock() throws(Difference) -> Expectation {
    let value = littleEndian(output, 0) * 1_000_000_000 + littleEndian(output, 8)
    let offset = SimulatedClock.realTimeAtStart
    if value < now.earliest - offset || value > now.latest - offset { throw Difference("clock shows \(value)") }
    return .value(0)
  }
}

/// What the specification allows an operation to give.
enum Expectation {
  case value(UInt64)
  case error(Errno)
  case bytes([UInt8])
  case ended
  /// Checked already.
  case anything
}

/// The 64-bit word at an offset of encoded bytes.
func littleEndian(_ bytes: [UInt8], _ offset: Int, byteCount: Int = 8) -> UInt64 {
  var value: UInt64 = 0
  for index in (0..<byteCount).reversed() where offset + index < bytes.count {
    value = value << 8 | UInt64(bytes[offset + index])
  }
  return value
}
