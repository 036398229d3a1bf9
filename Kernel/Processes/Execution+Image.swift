// The second half of an execution: the file's segments and the initial stack go into the new address space.
//
// The pages that the file fills show the file itself, with what it has around the segment, so that all who execute it have them
// together until they store to them; what lies before zeros, or otherwise in its page than in the file, is copied.

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

  /// Maps the next segment, or copies one page of it, or makes sure of the zeros behind it.
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
    let address = segment.address + segmentProgress
    let left = Page.byteCount - address & Page.offsetMask
    if segmentProgress < segment.fileByteCount {
      if shared.contains(address) {
        segmentProgress = min(segment.fileByteCount, shared.upperBound - segment.address)
        return .again
      }
      let count = min(segment.fileByteCount - segmentProgress, left)
      let source = layout.image.start + segment.fileOffset + segmentProgress
      return try advance(
        by: count, space.copyOut(from: source, byteCount: Int(count), to: VirtualAddress(address), progress: &progress))
    }
    if address < min(previousEndPage, segment.end) {
      // The page is the predecessor's, which may show more of the file.
      let count = min(segment.end - address, left)
      return try advance(
        by: count, space.zeroOut(to: VirtualAddress(address), byteCount: Int(count), progress: &progress))
    }
    try finish(segment, space)
    return .again
  }

  /// Counts what was stored of a segment.
  private func advance(by byteCount: UInt64, _ outcome: UserCopyOutcome) throws(Errno) -> Progress {
    switch outcome {
    case .complete: break
    case .wait(let wait): return .wait(wait)
    case .fault, .tooLong: throw .enomem
    }
    progress = 0
    segmentProgress += byteCount
    return .again
  }

  /// Maps the pages of a segment: those that the file fills show it, the others are writable for now. A page that it shares
  /// with the segment before stays that one's.
  private func map(_ segment: ProgramSegment, _ space: AddressSpace) throws(Errno) {
    let start = max(segment.firstPage, previousEndPage)
    if segment.firstPage < previousEndPage, !previousProtection.contains(.write) {
      try protect(segment.firstPage, previousEndPage, previousProtection.union(.write), space)
    }
    shared = pagesOfFile(segment, from: start)
    if let content, !shared.isEmpty {
      var request = MapRequest(
        address: shared.lowerBound, byteCount: UInt64(shared.count), placement: .exclusive,
        protection: segment.protection, maximum: .all, sharing: .private, object: content.mappedObject(memory))
      request.offset = (segment.fileOffset &+ shared.lowerBound &- segment.address) >> Page.shift
      _ = try space.map(request)
    }
    guard shared.upperBound < segment.endPage else { return }
    _ = try space.map(
      MapRequest(
        address: shared.upperBound, byteCount: segment.endPage - shared.upperBound, placement: .exclusive,
        protection: segment.protection.union(.write), maximum: .all, sharing: .private, object: nil))
  }

  /// The pages of a segment, from one on, that show the file: all that it fills, and the last one, unless zeros are to follow
  /// there, as FreeBSD's.
  private func pagesOfFile(_ segment: ProgramSegment, from start: UInt64) -> Range<UInt64> {
    let fileEnd = (segment.address + segment.fileByteCount) & ~Page.offsetMask
    let end = segment.fileByteCount == segment.memoryByteCount ? segment.endPage : fileEnd
    guard content != nil, start < end, (segment.address ^ segment.fileOffset) & Page.offsetMask == 0 else {
      return start..<start
    }
    return start..<end
  }

  private func finish(_ segment: ProgramSegment, _ space: AddressSpace) throws(Errno) {
    if segment.firstPage < previousEndPage {
      try protect(
        segment.firstPage, previousEndPage, previousProtection.union(segment.protection), space)
    }
    if shared.upperBound < segment.endPage, !segment.protection.contains(.write) {
      try protect(shared.upperBound, segment.endPage, segment.protection, space)
    }
    previousEndPage = max(previousEndPage, segment.endPage)
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
    if chunkByteCount == 0 { chunkByteCount = prepareRemainder(layout, stack, in: &chunk) }
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

  /// Puts a part of the remainder into the chunk. Returns its length in bytes.
  private func prepareRemainder(
    _ layout: ProgramLayout, _ stack: InitialStack, in chunk: inout [512 of UInt8]
  ) -> Int {
    var span = chunk.mutableSpan
    if pointerIndex == 3 {
      let path = path.span
      let count = min(512, pathByteCount - cursor)
      for index in 0..<count { span[index] = path[cursor + index] }
      return count
    }
    var bytes = MutableRawSpan(_elements: &span)
    switch pointerIndex {
    case 0:
      cursor = 0
      let vector = AuxiliaryVector(
        layout, stack, stackLimit: stackLimit, refusesOvercommit: memory.accounting.refusesOvercommit)
      let words = vector.words.span
      for index in 0..<vector.count { bytes.store(words[index], at: 8 * index) }
      return 8 * vector.count
    case 1:
      bytes.store(Page.byteCount, at: 0)
      bytes.store(VMObject.largeByteCount, at: 8)
      bytes.store(UInt64(0), at: 16)
      return Int(InitialStack.pageSizesByteCount)
    case 2:
      // Secret: other users must not be able to tell what stands between a program's buffers and its return addresses.
      for index in 0..<8 { bytes.store(memory.services.randomWord(), at: 8 * index) }
      return InterfaceLimits.canaryByteCount
    default:
      bytes.store(stack.argumentPointers, at: 0)
      bytes.store(UInt64(stack.argumentCount), at: 8)
      bytes.store(stack.environmentPointers, at: 16)
      bytes.store(UInt64(stack.environmentCount), at: 24)
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
