// Mistakes about descriptors in flight, made behind the kernel's back while random scripts run: seeds of `make test` have to notice
// each of them.
import ABI
import Memory
import Primitives
import Processes
import SystemCalls
import Testing

@testable import Files
@testable import Simulation

@Suite struct SimulationPlantedPacketTests {
  /// What the first of forty seeds says that notices what is done to the packet that was sent last.
  private func objection(_ meddler: @escaping (SocketControl) -> Void) -> String? {
    for seed in 1...40 as ClosedRange<UInt64> {
      let summary = RandomSimulation(.calls, seed: seed).run(
        stepCount: 800,
        meddler: { machine, step in
          guard let call = step.operation.call as? SendPacketCall, !call.files.isEmpty else { return }
          let identifier = machine.identifiers[step.process] ?? 0
          guard
            let table = machine.kernel.inspectedProcesses.process(identifier)?.files,
            let file = try? table.file(at: call.descriptor) as? SocketFile, let peer = file.socket.peer.instance,
            !peer.received.lastRecord.isNone,
            let control = peer.services.chunks[peer.received.lastRecord].control.borrowed.instance
          else { return }
          meddler(control)
        })
      if let failure = summary.failure { return failure.reason }
    }
    return nil
  }

  @Test func `descriptors that arrive in another order are noticed`() {
    let reason = objection { control in
      guard control.fileCount > 1 else { return }
      let places = [0, 1].map { control.services.place(of: control.chunk, at: 8 * $0) }
      let physical = control.services.memory.physical
      let words: [UInt64] = places.map { physical.load($0) }
      physical.store(words[1], at: places[0])
      physical.store(words[0], at: places[1])
    }
    #expect(reason != nil)
  }

  @Test func `a file that stays when its packet and its descriptors have gone is noticed`() {
    var kept: [OpenFile] = []
    let reason = objection { control in
      if let file = control.file(at: 0).instance { kept.append(file) }
    }
    #expect(reason != nil)
  }
}
