// Everything that can be wrong with a kernel between two steps, and at its end.

import ABI
import Files
import Memory
import Processes
import SystemCalls

extension KernelMachine {
  /// Everything that is wrong.
  public func problems(withContents: Bool) -> [String] {
    // The kernel's own inspection first: it counts references, and what follows takes some.
    let violation = kernel.inspect()
    var spaces: [AddressSpace] = []
    var tables = 0
    var files: [ObjectIdentifier: OpenFile] = [:]
    var objects: [ObjectIdentifier: SharedMemoryObject] = [:]
    var processCount = 0
    var pending: [MapEntryInspection] = []
    kernel.inspectedProcesses.inspectProcesses { process in
      processCount += 1
      if let space = process.addressSpace, !spaces.contains(where: { $0 === space }) { spaces.append(space) }
      if let table = process.files {
        tables += 1
        table.inspectFiles { _, file in files[ObjectIdentifier(file)] = file }
      }
      kernel.inspectedProcesses.forEachThread(of: process) { thread in
        if let file = thread.continuation.file { files[ObjectIdentifier(file)] = file }
        var copied: FileTable?
        switch thread.continuation {
        case .memory(.map(let mapping, _)):
          if let entry = mapping.inspected { pending.append(entry) }
          if let gap = mapping.inspectedGap { pending.append(gap) }
        // A child that is being made, or was when its parent was killed.
        case .process(.fork(let child)):
          if let space = child.space { spaces.append(space) }
          copied = child.files
        case .process(.execute(let execution)): if let space = execution.inspectedSpace { spaces.append(space) }
        case .exit(.unfinishedFiles(let table)): copied = table
        default: break
        }
        if let copied {
          tables += 1
          copied.inspectFiles { _, file in files[ObjectIdentifier(file)] = file }
        }
      }
    }
    addFilesInMessages(to: &files)
    var buffers: [VMObject] = []
    for file in files.values {
      if let object = (file as? SharedMemoryFile2008)?.object { objects[ObjectIdentifier(object)] = object }
      if let pipe = file as? PipeFile { buffers.append(pipe.inspectedObject) }
    }
    var names = 0
    kernel.inspectedFiles.inspectNames { object in
      names += 1
      objects[ObjectIdentifier(object)] = object
    }
    var found = InvariantChecker.problems(
      hardware, spaces: spaces, holding: objects.values.map(\.vmObject) + buffers, pending: pending,
      withContents: withContents)
    if let violation { found.append("the inspection: \(violation.message) (\(violation.detail))") }
    if let excess = kernel.monitor?.excess {
      found.append("\(excess.name) takes \(excess.largest) from the heap and declares \(excess.bound)")
    }
    let counts = kernel.inspectedFiles.counts
    if counts.openFiles != files.count { found.append("\(counts.openFiles) open files counted, \(files.count) found") }
    if counts.sharedMemoryObjects != objects.count {
      found.append("\(counts.sharedMemoryObjects) shared memory objects counted, \(objects.count) found")
    }
    if counts.names != names { found.append("\(counts.names) names counted, \(names) found") }
    if counts.tables != tables { found.append("\(counts.tables) descriptor tables counted, \(tables) found") }
    if kernel.inspectedProcesses.processCount != processCount { found.append("the count of processes is wrong") }
    for object in objects.values
    where object.vmObject.pageCount != UInt64(ModelObject.pages(object.size)) {
      found.append("an object of \(object.size) bytes has \(object.vmObject.pageCount) pages")
    }
    return found
  }

  /// Adds the files that only messages refer to.
  private func addFilesInMessages(to files: inout [ObjectIdentifier: OpenFile]) {
    var left = files.values.compactMap { $0 as? SocketFile }
    while let socket = left.popLast() {
      socket.inspectMessages { file in
        guard files.updateValue(file, forKey: ObjectIdentifier(file)) == nil else { return }
        if let socket = file as? SocketFile { left.append(socket) }
      }
    }
  }

  /// Ends process 1; the kernel ends the others and counts what is left.
  public func shutDown() -> [String] {
    do throws(Difference) {
      // It may have been the last to go because memory had run out.
      if report == nil {
        guard try schedule(0) else { return ["process 1 is gone"] }
        _ = try call(0, .exit, [0])
      }
    } catch { return [error.description] }
    if let monitor = kernel.monitor { HeapUseLog.add(monitor) }
    guard let report else { return ["the machine does not come to an end"] }
    var problems: [String] = []
    if report.leakedFrameCount != 0 { problems.append("\(report.leakedFrameCount) frames leaked") }
    if report.leakedObjectCount != 0 { problems.append("\(report.leakedObjectCount) objects leaked") }
    if report.leakedSwapBlockCount != 0 { problems.append("\(report.leakedSwapBlockCount) swap blocks leaked") }
    return problems + hardware.violations
  }
}
