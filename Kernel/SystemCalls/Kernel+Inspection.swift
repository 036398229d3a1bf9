// The inspection of the whole kernel: everything that is alive is reached from processes, names, continuations and the list
// of what is being torn down; every count equals what is counted, every frame and every byte of the heap has its owner.
//
// It runs in the simulation after every step; booted with the kernel option `inspect`, or when the superuser reads
// `vm.martlet.inspect`. It looks at everything, so it costs what the machine is large; it allocates nothing and changes
// nothing but marks.

public import Files
import Memory
import Primitives
public import Processes

/// What an inspection found.
public struct Violation {
  /// What is wrong.
  public let message: String
  /// A number that helps: a frame, an address, a count.
  public let detail: UInt64
}

extension Kernel {
  /// The processes.
  public var inspectedProcesses: ProcessSystem { processes }

  /// The files.
  public var inspectedFiles: FileServices { files }

  /// Inspects the whole kernel between two events. Returns what was found first, or nil.
  public func inspect() -> Violation? {
    var memory = MemoryInspector(self.memory)
    var files = FileInspector(self.files)
    let (stagingFrames, waiters) = processes.inspect(&memory, &files)
    files.finish(&memory)
    memory.finish()
    processes.inspectReferences(&memory, files)
    let records = self.memory.recordFrameCount + files.recordFrameCount + processes.recordFrameCount
    memory.require(memory.poolFrameCount == records, "frames of records", UInt64(memory.poolFrameCount))
    let heap = services.heap
    let kernelFrames = baselineKernelFrameCount + (heap?.heldFrameCount ?? 0) + stagingFrames + files.frameCount
    memory.require(
      memory.kernelFrameCount == kernelFrames, "kernel frames that nobody owns", UInt64(memory.kernelFrameCount))
    memory.require(
      memory.waiterCount == waiters, "frames kept for threads that do not wait", UInt64(memory.waiterCount))
    if let damaged = heap?.damagedObject {
      memory.require(false, "an object of the heap was written to behind its end or after its release", damaged)
    }
    if let heap, heap.byteCount(of: self) != nil {
      let alive = heap.allocatedByteCount - baseline.heapBytes
      memory.require(alive == memory.heapByteCount, "bytes of the heap that nothing reaches", UInt64(max(0, alive)))
    }
    guard let message = memory.violation else { return nil }
    return Violation(message: message, detail: memory.detail)
  }

  /// Inspects the whole kernel and tells on the console what is wrong. Whether nothing is.
  func isSound() -> Bool {
    guard let violation = inspect() else { return true }
    hasViolation = true
    report { line in
      line.append("inspection: ")
      line.append(violation.message)
      line.append(" (")
      line.append(violation.detail)
      line.append(")")
    }
    return false
  }

  /// Breaks an invariant on purpose (kernel option `inspect-test`). Returns false when there is no violation of that name.
  public func plantViolation(_ name: [UInt8]) -> Bool {
    if name.span.spells("heap-use") {
      monitor?.plantedExcess = .betweenEvents
      return true
    }
    return memory.plantViolation(name.span)
  }
}
