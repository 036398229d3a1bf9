// Checks every invariant of this module against the real state, as a part of the inspection of the whole kernel.
//
// The caller visits each descriptor table, each credentials and each continuation that holds files, then calls `finish`,
// and `checkReferences` for each table. Nothing is allocated and nothing changed but marks.

import ABI
public import Memory
import Primitives

/// One inspection of the files of a kernel.
public struct FileInspector: ~Copyable {
  private let system: FileServices
  private var fileCount = 0
  private var objectCount = 0
  private var tableCount = 0
  private var credentialsCount = 0
  private var groupListCount = 0
  private var holdCount = 0
  private var rangeHoldCount = 0
  private var rangeEntryCount = 0
  private var heldOffsetCount = 0
  private var offsetHolderCount = 0
  private var pipeByteCount = 0
  private var pipePlaceCount = 0
  private var visitedPlaceCount = 0
  private var sockets = SocketInspection()
  private var leafCount = 0
  private var limitLeafCount = 0
  private var limitsCount = 0
  private var queues = QueueInspection()
  /// Notes that watch files, and those that files know of.
  private var fileNoteCount = 0
  private var listedNoteCount = 0
  private var pollerCount = 0
  private var pollWatchCount = 0
  private var pollWindowCount = 0
  private var branchCount = 0
  private var trunkCount = 0
  /// Frames that lists of groups, and pieces of transfers, take.
  public private(set) var frameCount = 0

  /// Starts an inspection.
  public init(_ system: FileServices) { self.system = system }

  // MARK: What holds files

  /// Visits a table and its files.
  public mutating func visit(_ table: FileTable, _ memory: inout MemoryInspector) {
    tableCount += 1
    memory.count(table)
    var position = 0
    var count = 0
    var lastLeaf = 0
    let leavesBefore = leafCount
    while let descriptor = table.lowestUsed(from: position) {
      count += 1
      if descriptor >> 6 != lastLeaf {
        lastLeaf = descriptor >> 6
        leafCount += 1
      }
      if let file = try? table.file(at: Int32(descriptor)) { visit(file, &memory) }
      if let limits = table.limits(of: Int32(descriptor)) { limitsCount += limits.visit(&memory) }
      position = descriptor + 1
    }
    memory.require(count == table.count, "descriptor table's count", UInt64(count))
    var bytes = (leafCount - leavesBefore) * FileTable.leafByteCount
    if !table.trunk.isNone {
      let branches = system.trunks[table.trunk].present.nonzeroBitCount
      trunkCount += 1
      branchCount += branches
      bytes += (1 + branches) * FileTable.branchByteCount
    }
    limitLeafCount += table.limitLeafCount
    bytes += table.limitLeafCount * FileTable.limitLeafByteCount
    memory.require(bytes == table.nodeByteCount, "what a descriptor table takes", UInt64(bytes))
    memory.count(kernelByteCount: bytes, of: table.account)
    QueueInspection.compareNotes(of: table, &memory)
  }

  /// Visits a file by one reference.
  public mutating func visit(_ file: OpenFile, _ memory: inout MemoryInspector) {
    if file.inspection == memory.generation {
      file.inspectedReferences += 1
      return
    }
    file.inspection = memory.generation
    file.inspectedReferences = 1
    fileCount += 1
    memory.count(file)
    heldOffsetCount += file.offsetLine.count
    listedNoteCount += system.watchers.count(file.watchers)
    if file.hasOwner, let credentials = file.signalOwner.credentials { visit(credentials, &memory) }
    if let file = file as? SharedMemoryFile2008 { visit(file.object, &memory) }
    if let file = file as? EventQueueFile { visitNotes(of: file.queue, &memory) }
    if let pipe = file as? PipeFile { visit(endOfPipe: pipe, &memory) }
    if let file = file as? SocketFile { visit(file.socket, &memory) }
  }

  private mutating func visit(_ socket: Socket, _ memory: inout MemoryInspector) {
    // Taken out: what it finds of credentials is counted here.
    var sockets = sockets
    sockets.visit(socket, &memory, { visit($0, &$1) }, { visit($0, &$1) })
    self.sockets = sockets
  }

  /// Visits a queue, and its notes, each with its reference to a file.
  private mutating func visitNotes(of queue: EventQueue, _ memory: inout MemoryInspector) {
    memory.count(queue)
    queues.visit(queue, &memory)
    queue.forEachNote { note in if !note.file.borrowed.isEmpty { fileNoteCount += 1 } }
    queue.forEachNote { note in if let file = note.file.borrowed.instance { visit(file, &memory) } }
  }

  private mutating func visit(endOfPipe pipe: PipeFile, _ memory: inout MemoryInspector) {
    memory.visitHeld(pipe.object)
    pipeByteCount += pipe.byteCapacity
    memory.countPipe(byteCapacity: pipe.byteCapacity, of: pipe.object.payer)
    pipePlaceCount += pipe.readers.count + pipe.roomWaiters.count + pipe.emptinessWaiters.count
    let holders = [pipe.reading, pipe.writing, pipe.offer] as [3 of _]
    for index in holders.indices where !holders[index].isEmpty { pipePlaceCount += 1 }
    memory.require(
      pipe.object.pageCount == UInt64(pipe.byteCapacity) >> Page.shift, "pages of a pipe", pipe.object.pageCount)
    memory.require(
      pipe.queuedByteCount >= 0 && pipe.queuedByteCount <= pipe.byteCapacity && pipe.readPosition < pipe.byteCapacity,
      "bytes in a pipe", UInt64(pipe.queuedByteCount))
    memory.require(pipe.peer.instance.map { $0.peer.instance === pipe } ?? true, "ends of a pipe", 0)
    memory.require(
      pipe.offer.isEmpty || pipe.peer.instance.map { $0.queuedByteCount > 0 } ?? false,
      "piece offered that nobody can read", 0)
  }

  /// Visits credentials by one reference.
  public mutating func visit(_ credentials: Credentials, _ memory: inout MemoryInspector) {
    let result = credentials.inspect(&memory)
    if result.isNew { credentialsCount += 1 }
    if result.groupsAreNew { groupListCount += 1 }
    frameCount += result.frameCount
  }

  /// Visits what remains of a call on files, and gives what it keeps from others.
  public mutating func visit(_ remainder: FileContinuation, _ memory: inout MemoryInspector) -> TransferHold? {
    switch remainder {
    case .read(let file, let transfer), .write(let file, let transfer):
      visit(file, &memory)
      return visit(transfer, &memory)
    case .message(let file, let transfer):
      visit(file, &memory)
      return visit(transfer, &memory)
    case .sendFile(let sending):
      memory.count(sending)
      visit(sending.source, &memory)
      visit(sending.target, &memory)
      sending.inspect({ _ = visit($0, &memory) }, { visit($0, &memory) })
      return nil
    case .accept(let file, let place):
      visit(file, &memory)
      visit(place, &memory)
      return nil
    case .vector(let pending):
      frameCount += pending.vector.inspect(&memory)
      return nil
    case .truncate(let file, let resize):
      visit(file, &memory)
      return visit(resize, &memory)
    case .punch(let file, let punch):
      visit(file, &memory)
      if let hold = punch.hold { visit(hold, &memory) }
      return punch.hold
    case .open(let pending):
      visit(pending.file, &memory)
      return visit(pending.resize, &memory)
    case .events(let queue), .dump(let queue):
      visit(queue, &memory)
      return nil
    case .poll(let poller):
      if let poller { visit(poller, &memory) }
      return nil
    case .closeRange, .markCloseOnExec: return nil
    }
  }

  private mutating func visit(_ poller: Poller, _ memory: inout MemoryInspector) {
    let counts = poller.inspect(&memory)
    pollerCount += 1
    pollWatchCount += counts.watchCount
    pollWindowCount += counts.windowCount
  }

  /// Compares the pollers that were found, and those that are being given up, with what there is.
  private func finishPollers(_ memory: inout MemoryInspector) {
    let abandoned = system.watchers.inspectAbandoned(&memory)
    memory.require(
      pollerCount + abandoned.0 == system.watchers.pollers.count, "pollers that nothing reaches", UInt64(pollerCount))
    memory.require(
      pollWatchCount + abandoned.watchCount == system.watchers.pollWatches.count, "watches that nothing reaches",
      UInt64(pollWatchCount))
    memory.require(
      pollWindowCount + abandoned.windowCount == system.watchers.pollWindows.count, "windows that nothing reaches",
      UInt64(pollWindowCount))
  }

  /// Visits what a parked read or write holds besides its file, and gives it.
  private mutating func visit(_ transfer: Transfer, _ memory: inout MemoryInspector) -> TransferHold? {
    if let hold = transfer.hold { visit(hold, &memory) }
    if let vector = transfer.vector { frameCount += vector.inspect(&memory) }
    if let place = transfer.socketPlace { visit(place, &memory) }
    if let place = transfer.place {
      holdCount += 1
      memory.count(place)
      visit(place.file, &memory)
      if place.line != .none || place.isCopying || place.isOffered { visitedPlaceCount += 1 }
    }
    return transfer.hold
  }

  /// Visits what a call on a socket keeps that waits.
  private mutating func visit(_ place: SocketPlace, _ memory: inout MemoryInspector) {
    holdCount += 1
    var sockets = sockets
    sockets.visit(place, &memory, { visit($0, &$1) }, { visit($0, &$1) })
    self.sockets = sockets
    if let caller = place.caller { visit(caller, &memory) }
  }

  /// Visits what a parked change of size holds besides its file, and gives it.
  private mutating func visit(_ resize: Resize, _ memory: inout MemoryInspector) -> TransferHold? {
    if let hold = resize.hold { visit(hold, &memory) }
    return resize.hold
  }

  /// Visits what a call keeps from others.
  public mutating func visit(_ hold: TransferHold, _ memory: inout MemoryInspector) {
    holdCount += 1
    memory.count(hold)
    visit(hold.file, &memory)
    if hold.holdsRange { rangeHoldCount += 1 }
    if hold.isInLine { offsetHolderCount += 1 }
  }

  private mutating func visit(_ object: SharedMemoryObject, _ memory: inout MemoryInspector) {
    if object.inspection == memory.generation { return }
    object.inspection = memory.generation
    objectCount += 1
    memory.count(object)
    memory.visitHeld(object.vmObject)
    rangeEntryCount += object.rangeLock.inspect(&memory)
    memory.require(
      object.vmObject.pageCount == Page.count(covering: UInt64(object.size)), "object's pages differ from its size",
      object.inode)
  }

  // MARK: The end

  /// Visits the names and compares what is alive with what was reached.
  public mutating func finish(_ memory: inout MemoryInspector) {
    var names = 0
    for group in system.names.groups.indices { names += visitNames(ofGroup: group, &memory) }
    visitKeyedObjects(&memory)
    finishSockets(&memory)
    finishQueues(&memory)
    let counts = system.counts
    memory.require(counts.names == names, "names that the table does not show", UInt64(names))
    memory.require(counts.openFiles == fileCount, "open files that nothing reaches", UInt64(fileCount))
    memory.require(
      counts.sharedMemoryObjects == objectCount, "shared memory objects that nothing reaches", UInt64(objectCount))
    memory.require(counts.tables == tableCount, "descriptor tables that nothing reaches", UInt64(tableCount))
    memory.require(counts.credentials == credentialsCount, "credentials that nothing reaches", UInt64(credentialsCount))
    memory.require(counts.groupLists == groupListCount, "lists of groups that nothing reaches", UInt64(groupListCount))
    memory.require(counts.holds == holdCount, "holds of transfers that nothing reaches", UInt64(holdCount))
    memory.require(
      pipeByteCount == system.pipeSpace.byteCount, "bytes that pipes take", UInt64(system.pipeSpace.byteCount))
    memory.require(
      pipePlaceCount == visitedPlaceCount, "places in lines of pipes that nobody has", UInt64(pipePlaceCount))
    memory.require(rangeEntryCount == rangeHoldCount, "range locks that nobody holds", UInt64(rangeEntryCount))
    memory.require(heldOffsetCount == offsetHolderCount, "file offsets that nobody holds", UInt64(heldOffsetCount))
    queues.finish(system.watchers, &memory)
    memory.require(fileNoteCount == listedNoteCount, "notes that their files do not know", UInt64(fileNoteCount))
    finishPollers(&memory)
    memory.require(
      counts.limits == limitsCount + sockets.limitsCount, "limits of descriptors", UInt64(counts.limits))
    memory.require(limitLeafCount == system.limitLeaves.count, "records of limits", UInt64(limitLeafCount))
    memory.require(leafCount == system.leaves.count, "leaves of descriptor tables", UInt64(leafCount))
    memory.require(branchCount == system.branches.count, "branches of descriptor tables", UInt64(branchCount))
    memory.require(trunkCount == system.trunks.count, "trunks of descriptor tables", UInt64(trunkCount))
  }

  /// Visits the sockets in flight, each by the one reference that all messages have, and what nobody will read.
  private mutating func finishSockets(_ memory: inout MemoryInspector) {
    var position = system.sockets.flights.first
    while let socket = position.instance {
      if let file = socket.flightReference.borrowed.instance { visit(file, &memory) }
      position = socket.flightLinks.next
    }
    var sockets = sockets
    frameCount += sockets.finish(system.sockets, &memory, { visit($0, &$1) }, { visit($0, &$1) })
    self.sockets = sockets
  }

  /// Visits the queues that are taken apart.
  private mutating func finishQueues(_ memory: inout MemoryInspector) {
    var position = system.watchers.firstClosing
    while let queue = position.instance {
      visitNotes(of: queue, &memory)
      position = queue.nextOfTable
    }
  }

  private mutating func visitKeyedObjects(_ memory: inout MemoryInspector) {
    var count = 0
    system.keyedObjects.inspect { entry in
      count += 1
      memory.count(entry)
      visit(entry.object, &memory)
      memory.count(kernelByteCount: KernelMemoryCost.keyedObject, of: entry.object.vmObject.payer)
    }
    memory.require(count == system.keyedObjects.count, "count of objects that are found by a place", UInt64(count))
  }

  /// Frames that hold this module's records.
  public var recordFrameCount: Int {
    system.watchers.recordFrameCount + system.sockets.chunks.frameCount + system.leaves.frameCount
      + system.branches.frameCount + system.trunks.frameCount + system.names.frameCount
      + system.limitLeaves.frameCount
  }

  private mutating func visitNames(ofGroup group: Int, _ memory: inout MemoryInspector) -> Int {
    if system.names.groups[group].isNone { return 0 }
    var count = 0
    for slot in 0..<Int(SharedMemoryNamespace.groupBucketCount) {
      count += visitNames(system.names.groupPool[system.names.groups[group]].roots[slot], &memory)
    }
    return count
  }

  /// Visits one tree, whose height is logarithmic.
  private mutating func visitNames(_ entry: Handle<NameEntry>, _ memory: inout MemoryInspector) -> Int {
    if entry.isNone { return 0 }
    memory.require(system.names.entries[entry].object.nameEntry == entry, "named object does not know", 0)
    visit(system.names.entries[entry].object, &memory)
    memory.countName(
      kernelByteCount: system.names.entries[entry].kernelByteCount,
      of: system.names.entries[entry].object.vmObject.payer)
    return 1 + visitNames(system.names.entries[entry].left, &memory)
      + visitNames(system.names.entries[entry].right, &memory)
  }

  /// Whether files that one descriptor alone reaches have no other reference, and those with more have more. After every
  /// visit, and while nobody else looks at a file.
  public borrowing func checkReferences(_ table: FileTable, _ memory: inout MemoryInspector) {
    var position = 0
    while let descriptor = table.lowestUsed(from: position) {
      position = descriptor + 1
      let references = (try? table.file(at: Int32(descriptor)).inspectedReferences) ?? 0
      memory.require(
        table.holdsOnlyReference(descriptor) == (references == 1), "references of an open file", UInt64(descriptor))
    }
  }
}

extension DescriptorLimits {
  /// Visits them, unless they were visited: others may share them. Returns how many were found by this.
  func visit(_ memory: inout MemoryInspector) -> Int {
    if inspection == memory.generation { return 0 }
    inspection = memory.generation
    memory.count(self)
    memory.count(kernelByteCount: KernelMemoryCost.descriptorLimits, of: payer)
    if let requests, requests.inspection != memory.generation {
      requests.inspection = memory.generation
      memory.count(requests)
      memory.count(kernelByteCount: KernelMemoryCost.requestList, of: requests.payer)
    }
    return 1
  }
}

extension FileTable {
  /// Whether a descriptor is all that keeps its file alive.
  fileprivate func holdsOnlyReference(_ descriptor: Int) -> Bool {
    if descriptor < 64 { return near.holdsOnlyReference(descriptor) }
    guard let leaf = farLeaf(of: Int32(descriptor)) else { return false }
    return fileServices.leaves[leaf].holdsOnlyReference(descriptor & 63)
  }
}

extension SharedMemoryNamespace {
  var frameCount: Int { entries.frameCount + blocks.frameCount + groupPool.frameCount }
}
