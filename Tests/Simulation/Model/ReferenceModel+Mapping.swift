// mmap, munmap and mprotect (spec shm.md 3.11, 3.13, 3.14), page by page.
import ABI

extension ReferenceModel {
  static let userEnd: UInt64 = 1 << 46
  /// What is kept for the initial stack.
  static let stack: Range<UInt64> = 0x3FFF_FFFF_F000 - 512 << 20..<0x3FFF_FFFF_F000

  func map(_ process: ModelProcess, _ arguments: MapCall, _ observed: Observation) throws(Difference)
    -> Expectation
  {
    var arguments = arguments
    // A stack has no offset.
    if arguments.flags & 0x1400 == 0x400 { arguments.offset = 0 }
    if let error = argumentError(arguments) { return .error(error) }
    let isShared = arguments.flags & 1 != 0
    let isAnonymous = arguments.flags & 0x3400 != 0
    let pageOffset = UInt64(bitPattern: arguments.offset) & 4095
    let (byteCount, _) = roundedByteCount(arguments)
    let firstPage = Int((arguments.offset - Int64(pageOffset)) / 4096)
    var view = ModelView(protection: arguments.protection & 7, maximum: 7, isShared: isShared)
    if !isAnonymous {
      guard let file = process.file(arguments.descriptor) else { return .error(.ebadf) }
      if arguments.flags & 3 == 0 { return .error(.einval) }
      if let error = lookAtFile(file, arguments, byteCount, &view) { return .error(error) }
    }
    let memoryByteCount = memoryByteCount(arguments, byteCount)
    if isShared && view.object == nil {
      let object = ModelObject()
      object.size = Int64(memoryByteCount)
      object.creator = process.credentials.realUser
      view.object = object
    }
    if !isShared && view.protection & 2 != 0 { view.chargedUser = process.credentials.realUser }
    if arguments.flags & 0x2000 != 0 {
      view.maximum = 0
      view.isGuard = true
    }
    let limit = arguments.protection >> 16 & 7
    if limit != 0 { view.maximum &= limit }
    let isNew = view.object != nil && (isAnonymous || arguments.descriptor >= 0 && isZeroFile(process, arguments))
    // What a shared mapping of nothing shows is an object of its own.
    let reserves = view.chargedUser != nil || isShared && isNew
    return try place(process, arguments, view, isNew ? 0 : firstPage, byteCount, reserves, observed)
  }

  private func isZeroFile(_ process: ModelProcess, _ arguments: MapCall) -> Bool {
    if case .zero = process.file(arguments.descriptor)?.kind { return true }
    return false
  }

  /// The part that depends on the file (spec shm.md 3.11, step 16).
  private func lookAtFile(
    _ file: ModelFile, _ arguments: MapCall, _ byteCount: UInt64, _ view: inout ModelView
  ) -> Errno? {
    let isShared = arguments.flags & 1 != 0
    let wantsWriting = arguments.protection & 2 != 0
    guard let object = file.object else {
      if case .program(let content) = file.kind { return lookAtProgram(content, file, arguments, byteCount, &view) }
      guard file.isDevice else { return .enodev }
      if arguments.protection & 1 != 0 && !file.isReadable { return .eacces }
      if isShared && wantsWriting && !file.isWritable { return .eacces }
      // Only /dev/zero can be mapped.
      if case .zero = file.kind { return nil }
      return .einval
    }
    let writable = file.isWritable && object.seals & 8 == 0
    if isShared && !writable {
      if wantsWriting { return .eacces }
      view.maximum = 5
    }
    if arguments.offset < 0 || byteCount > UInt64(Int64.max) || arguments.offset > Int64.max - Int64(byteCount) {
      return .einval
    }
    object.accessTime = now
    view.object = object
    view.countsAsWritable = isShared && writable
    return nil
  }

  /// The same for a file of /bin, to which nobody stores.
  private func lookAtProgram(
    _ content: [UInt8], _ file: ModelFile, _ arguments: MapCall, _ byteCount: UInt64, _ view: inout ModelView
  ) -> Errno? {
    if arguments.protection & 1 != 0 && !file.isReadable { return .eacces }
    if view.isShared && arguments.protection & 2 != 0 { return .eacces }
    view.maximum = (file.isReadable ? 1 : 0) | (view.isShared ? 0 : 2) | 4
    if arguments.offset < 0 || byteCount > UInt64(Int64.max) || arguments.offset > Int64.max - Int64(byteCount) {
      return .einval
    }
    view.object = programObject(content)
    return nil
  }

  /// What all mappings of a file of /bin show.
  func programObject(_ content: [UInt8]) -> ModelObject {
    if let object = programObjects[content] { return object }
    let object = ModelObject()
    object.size = Int64(content.count)
    object.setBytes(content, at: 0)
    programObjects[content] = object
    return object
  }

  /// The length in whole pages, and whether it wraps.
  private func roundedByteCount(_ arguments: MapCall) -> (UInt64, Bool) {
    let pageOffset = UInt64(bitPattern: arguments.offset) & 4095
    let rounded = (arguments.byteCount &+ pageOffset &+ 4095) & ~4095
    return (rounded, arguments.byteCount > rounded)
  }

  /// Steps 1 to 13 of spec shm.md 3.11.
  private func argumentError(_ arguments: MapCall) -> Errno? {
    let flags = arguments.flags & ~0x60
    let limit = arguments.protection >> 16 & 7
    if arguments.protection & ~0x7_0007 != 0 { return .einval }
    if limit != 0 && arguments.protection & 7 & ~limit != 0 { return .eopnotsupp }
    if arguments.byteCount == 0 { return .einval }
    if flags & 0x1000 != 0 && (arguments.descriptor != -1 || arguments.offset != 0) { return .einval }
    if flags & 0x400 != 0 && (arguments.descriptor != -1 || arguments.protection & 3 != 3) { return .einval }
    if flags & ~0xFF0E_7E13 != 0 { return .einval }
    if flags & 0x4000 != 0 && flags & 0x10 == 0 { return .einval }
    if flags & 3 == 3 { return .einval }
    if flags & 0x2000 != 0 {
      let isPure = flags & ~0xFF08_6010 == 0
      if !isPure || arguments.protection & 7 != 0 || arguments.descriptor != -1 || arguments.offset != 0 {
        return .einval
      }
    }
    let (byteCount, wraps) = roundedByteCount(arguments)
    if wraps { return .enomem }
    let alignment = flags >> 24
    if alignment != 0 && alignment != 1 && (alignment < 12 || alignment >= 64) { return .einval }
    if flags & 0x10 != 0 {
      let start = arguments.address &- UInt64(bitPattern: arguments.offset) & 4095
      if start & 4095 != 0 || start < 0x1000 || start >= Self.userEnd || byteCount > Self.userEnd - start {
        return .einval
      }
      if flags & 0x8_0000 != 0 && start + byteCount > 1 << 31 { return .einval }
    }
    return nil
  }

  /// The bytes of a mapping that are memory at first: all of it, but of a stack only the top, and never the lowest page.
  private func memoryByteCount(_ arguments: MapCall, _ byteCount: UInt64) -> UInt64 {
    arguments.flags & 0x400 == 0 ? byteCount : min(byteCount - 4096, ModelProcess.initialStackByteCount)
  }

  private func place(
    _ process: ModelProcess, _ arguments: MapCall, _ view: ModelView, _ firstPage: Int, _ byteCount: UInt64,
    _ reserves: Bool, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if exceedsAddressSpace(process, byteCount) { return .error(.enomem) }
    let pageOffset = UInt64(bitPattern: arguments.offset) & 4095
    let memoryByteCount = memoryByteCount(arguments, byteCount)
    // Nothing but the guard.
    if memoryByteCount == 0 { return .error(.einval) }
    let isRefused = reserves && isRefused(memoryByteCount / 4096, for: process.credentials.realUser, by: process)
    let start: UInt64
    if arguments.flags & 0x10 != 0 {
      start = arguments.address - pageOffset
      let isTaken = ModelProcess.pages(start, byteCount).contains { process.memory[$0] != nil }
      if isRefused || arguments.flags & 0x4000 != 0 && isTaken { return .error(.enomem) }
    } else {
      if isRefused { return .error(.enomem) }
      guard case .value(let chosen) = observed else { throw Difference("got \(observed), expected an address") }
      start = chosen &- pageOffset
      try checkChoice(process, arguments, start, byteCount)
    }
    for (index, page) in ModelProcess.pages(start, byteCount).enumerated() {
      var view = view
      view.objectPage = firstPage + index
      if UInt64(index) * 4096 < byteCount - memoryByteCount {
        view = ModelView(protection: 0, maximum: 0, isShared: false)
        view.isGuard = true
        view.isGap = true
      } else {
        view.objectPage -= Int((byteCount - memoryByteCount) / 4096)
      }
      process.memory[page] = view
    }
    return .value(start + pageOffset)
  }

  /// An address that the kernel chose: free, inside user space, and as the flags want it.
  private func checkChoice(
    _ process: ModelProcess, _ arguments: MapCall, _ start: UInt64, _ byteCount: UInt64
  ) throws(Difference) {
    if start & 4095 != 0 || start < 0x1000 || start >= Self.userEnd || byteCount > Self.userEnd - start {
      throw Difference("address \(hexadecimal(start)) cannot be a mapping")
    }
    let taken = ModelProcess.pages(start, byteCount).first(where: { process.memory[$0] != nil })
    if taken != nil || Self.stack.overlaps(start..<start + byteCount) {
      throw Difference("address \(hexadecimal(start)) covers the mapping at \(hexadecimal((taken ?? 0) << 12))")
    }
    let alignment = arguments.flags >> 24
    let isAligned = alignment == 0 || start % (alignment == 1 ? 2 << 20 : 1 << UInt64(alignment)) == 0
    let isLow = arguments.flags & 0x8_0000 == 0 || start + byteCount <= 1 << 31
    if !isAligned || !isLow { throw Difference("address \(hexadecimal(start)) is not where the flags want it") }
    if alignment == 0 && arguments.flags & 0x8_0000 == 0 { try checkHint(process, arguments, start, byteCount) }
  }

  /// Spec shm.md 3.11, step 13: no hint, and one from the program's start to the farthest end of its data, mean behind that
  /// end; any other is obeyed where the place is free.
  private func checkHint(
    _ process: ModelProcess, _ arguments: MapCall, _ start: UInt64, _ byteCount: UInt64
  ) throws(Difference) {
    let hint = arguments.address
    let behindData = (Program.data + UInt64(process.limits[2].hard) + 4095) & ~4095
    if hint == 0 || hint >= Program.text && hint < behindData {
      if start < behindData { throw Difference("address \(hexadecimal(start)) is in reach of the data segment") }
      return
    }
    let rounded = (hint &+ 4095) & ~4095
    if rounded == 0 || rounded >= Self.userEnd {
      if start < behindData { throw Difference("address \(hexadecimal(start)) is in reach of the data segment") }
      return
    }
    try checkFreeHint(process, rounded, start, byteCount)
  }

  private func checkFreeHint(
    _ process: ModelProcess, _ hint: UInt64, _ start: UInt64, _ byteCount: UInt64
  ) throws(Difference) {
    guard hint < Self.userEnd, byteCount <= Self.userEnd - hint, start != hint,
      !Self.stack.overlaps(hint..<hint + byteCount)
    else { return }
    if !ModelProcess.pages(hint, byteCount).contains(where: { process.memory[$0] != nil }) {
      throw Difference("address \(hexadecimal(start)) is not at the hint \(hexadecimal(hint)), which is free")
    }
  }

  func unmap(_ process: ModelProcess, _ address: UInt64, _ byteCount: UInt64) -> Expectation {
    if byteCount == 0 { return .error(.einval) }
    let start = address & ~4095
    let end = start &+ ((byteCount &+ (address & 4095) &+ 4095) & ~4095)
    if start < 0x1000 || end < start || end > Self.userEnd { return .error(.einval) }
    for page in ModelProcess.pages(start, end - start) { process.memory[page] = nil }
    return .value(0)
  }

  func protect(
    _ process: ModelProcess, _ address: UInt64, _ byteCount: UInt64, _ protection: UInt32
  ) -> Expectation {
    if protection & ~0x7_0007 != 0 { return .error(.einval) }
    let limit = protection >> 16 & 7
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    if start &+ size < start { return .error(.einval) }
    if size == 0 { return .value(0) }
    if limit != 0 && protection & 7 & ~limit != 0 { return .error(.eopnotsupp) }
    if start >= Self.userEnd { return .value(0) }
    let pages = ModelProcess.pages(start, min(size, Self.userEnd - start)).filter {
      process.memory[$0].map { !$0.isGuard } ?? true
    }
    let wanted = protection & 7 | limit
    if pages.contains(where: { page in process.memory[page].map { wanted & ~$0.maximum != 0 } ?? false }) {
      return .error(.eacces)
    }
    let user = process.credentials.realUser
    if protection & 2 != 0 {
      let unreserved = pages.filter { process.memory[$0].map { !$0.isShared && $0.chargedUser == nil } ?? false }
      if isRefused(UInt64(unreserved.count), for: user, by: process) { return .error(.enomem) }
      for page in unreserved { process.memory[page]?.chargedUser = user }
    }
    for page in pages {
      process.memory[page]?.protection = protection & 7
      if limit != 0 { process.memory[page]?.maximum = limit }
    }
    return .value(0)
  }
}
