// The second half of an execution: the file's segments and the initial stack go into the new address space.

import ABI
import Memory
import Primitives

extension Execution {
  /// The new address space and what it is filled from; exist once the file is known.
  private var target: (space: AddressSpace, layout: ProgramLayout, stack: InitialStack) {
    guard let space, let layout, let stack else { preconditionFailure("no file yet") }
    return (space, layout, stack)
  }

  // MARK: Segments

  /// Maps the next segment, or copies one page of it.
  func segmentStep() throws(Errno) -> Progress {
    let (space, layout, _) = target
    guard headerIndex < layout.headerCount else {
      phase = .strings
      cursor = 0
      return .again
    }
    guard let segment = layout.segment(headerIndex) else {
      headerIndex += 1
      return .again
    }
    if !isSegmentMapped {
      try map(segment, space)
      isSegmentMapped = true
      return .again
    }
    guard segmentProgress < segment.fileByteCount else {
      try finish(segment, space)
      return .again
    }
    let address = segment.address + segmentProgress
    let count = min(segment.fileByteCount - segmentProgress, Page.byteCount - address & Page.offsetMask)
    let source = layout.image.start + segment.fileOffset + segmentProgress
    switch space.copyOut(from: source, byteCount: Int(count), to: VirtualAddress(address), progress: &progress) {
    case .complete: break
    case .wait(let wait): return .wait(wait)
    case .fault, .tooLong: throw .enomem
    }
    progress = 0
    segmentProgress += count
    return .again
  }

  /// Maps the pages of a segment, writable for now. A page that it shares with the segment before stays that one's.
  private func map(_ segment: ProgramSegment, _ space: AddressSpace) throws(Errno) {
    let start = max(segment.firstPage, previousEndPage)
    if segment.firstPage < previousEndPage, !previousProtection.contains(.write) {
      try protect(segment.firstPage, previousEndPage, previousProtection.union(.write), space)
    }
    guard start < segment.endPage else { return }
    _ = try space.map(
      MapRequest(
        address: start, byteCount: segment.endPage - start, placement: .exclusive,
        protection: segment.protection.union(.write), maximum: .all, sharing: .private, object: nil))
  }

  private func finish(_ segment: ProgramSegment, _ space: AddressSpace) throws(Errno) {
    let start = max(segment.firstPage, previousEndPage)
    if segment.firstPage < previousEndPage {
      let shared = previousProtection.union(segment.protection)
      try protect(segment.firstPage, previousEndPage, shared, space)
    }
    if start < segment.endPage {
      if !segment.protection.contains(.write) { try protect(start, segment.endPage, segment.protection, space) }
      previousEndPage = segment.endPage
    }
    previousProtection = segment.protection
    headerIndex += 1
    segmentProgress = 0
    isSegmentMapped = false
  }

  private func protect(
    _ start: UInt64, _ end: UInt64, _ protection: Protection, _ space: AddressSpace
  ) throws(Errno) {
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: end - start) else { return }
    try space.protect(range, protection, maximum: nil)
  }

  // MARK: Stack

  /// Copies the staged strings that lie in one frame.
  func stringStep() throws(Errno) -> Progress {
    let (space, _, stack) = target
    guard cursor < staging.byteCount else {
      phase = .pointers
      cursor = 0
      return .again
    }
    let count = staging.contiguousByteCount(from: cursor)
    let address = VirtualAddress(stack.strings + UInt64(cursor))
    switch space.copyOut(from: staging.address(of: cursor), byteCount: count, to: address, progress: &progress) {
    case .complete: break
    case .wait(let wait): return .wait(wait)
    case .fault, .tooLong: throw .enomem
    }
    progress = 0
    cursor += count
    return .again
  }

  /// Writes argc and up to 64 of the pointers behind it. Word 0 is argc, the words after it are the argument pointers, NULL,
  /// the environment pointers, NULL.
  func pointerStep() throws(Errno) -> Progress {
    let (space, _, stack) = target
    let wordCount = 1 + stack.argumentCount + 1 + stack.environmentCount + 1
    if chunkByteCount == 0 {
      guard pointerIndex < wordCount else {
        phase = .remainder
        pointerIndex = 0
        return .again
      }
      let count = min(64, wordCount - pointerIndex)
      for slot in 0..<count { put(word(at: pointerIndex + slot, stack), at: slot) }
      chunkByteCount = 8 * count
    }
    guard let wait = try copyChunk(to: stack.base + 8 * UInt64(pointerIndex), space) else {
      pointerIndex += chunkByteCount / 8
      chunkByteCount = 0
      return .again
    }
    return .wait(wait)
  }

  private func word(at index: Int, _ stack: InitialStack) -> UInt64 {
    if index == 0 { return UInt64(stack.argumentCount) }
    if index == 1 + stack.argumentCount || index == 2 + stack.argumentCount + stack.environmentCount { return 0 }
    let address = stack.strings + UInt64(cursor)
    cursor = staging.end(ofStringAt: cursor)
    return address
  }

  /// Writes the auxiliary vector, the page sizes, the canary, the path and ps_strings, one per step.
  func remainderStep() throws(Errno) -> Progress {
    let (space, layout, stack) = target
    if chunkByteCount == 0 { chunkByteCount = prepareRemainder(layout, stack) }
    let addresses: [5 of UInt64] = [
      stack.auxiliaryVector, stack.pageSizes, stack.canary, stack.executablePath, stack.processStrings,
    ]
    let address = addresses[pointerIndex] + UInt64(cursor)
    if let wait = try copyChunk(to: address, space) { return .wait(wait) }
    // The path may be longer than a chunk.
    if pointerIndex == 3 && cursor + chunkByteCount < pathByteCount {
      cursor += chunkByteCount
    } else {
      pointerIndex += 1
      cursor = 0
    }
    chunkByteCount = 0
    if pointerIndex == 5 { phase = .ready }
    return .again
  }

  private func prepareRemainder(_ layout: ProgramLayout, _ stack: InitialStack) -> Int {
    if pointerIndex == 0 { cursor = 0 }
    switch pointerIndex {
    case 0:
      let vector = AuxiliaryVector(
        layout, stack, stackLimit: stackLimit, refusesOvercommit: memory.accounting.refusesOvercommit)
      for index in 0..<vector.count { put(vector.words[index], at: index) }
      return 8 * vector.count
    case 1:
      put(Page.byteCount, at: 0)
      put(VMObject.largeByteCount, at: 1)
      put(0, at: 2)
      return Int(InitialStack.pageSizesByteCount)
    case 2:
      // Secret: other users must not be able to tell what stands between a program's buffers and its return addresses.
      for index in 0..<8 { put(memory.services.randomWord(), at: index) }
      return InterfaceLimits.canaryByteCount
    case 3:
      let count = min(512, pathByteCount - cursor)
      for index in 0..<count { chunk[index] = path[cursor + index] }
      return count
    default:
      put(stack.argumentPointers, at: 0)
      put(UInt64(stack.argumentCount), at: 1)
      put(stack.environmentPointers, at: 2)
      put(UInt64(stack.environmentCount), at: 3)
      return ABI.UserSpace.processStringsByteCount
    }
  }

  private func put(_ value: UInt64, at index: Int) { store(value, at: 8 * index, in: &chunk) }

  private func store(_ value: UInt64, at offset: Int, in chunk: inout [512 of UInt8]) {
    var span = chunk.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    bytes.store(value, at: offset)
  }

  /// Copies the chunk to the new address space; what to wait for, or nil when it is done.
  private func copyChunk(to address: UInt64, _ space: AddressSpace) throws(Errno) -> Wait? {
    let bytes = RawSpan(_elements: chunk.span).extracting(0..<chunkByteCount)
    switch space.copyOut(bytes, to: VirtualAddress(address), progress: &progress) {
    case .complete:
      progress = 0
      return nil
    case .wait(let wait): return wait
    case .fault, .tooLong: throw .enomem
    }
  }
}
