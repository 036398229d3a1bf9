// mmap, munmap and mprotect (spec shm.md 3.11, 3.13, 3.14), page by page.
import ABI

/// The arguments of mmap(2).
struct MapArguments {
  var address: UInt64
  var byteCount: UInt64
  var protection: UInt32
  var flags: UInt32
  var descriptor: Int32
  var offset: Int64
}

extension ReferenceModel {
  static let userEnd: UInt64 = 1 << 46

  func map(_ process: ModelProcess, _ arguments: MapArguments, _ observed: Observation) throws(Difference)
    -> Expectation
  {
    if let error = argumentError(arguments) { return .error(error) }
    let isShared = arguments.flags & 1 != 0
    let isAnonymous = arguments.flags & 0x1000 != 0
    let pageOffset = UInt64(arguments.offset) & 4095
    let byteCount = (arguments.byteCount + pageOffset + 4095) & ~4095
    let firstPage = Int((arguments.offset - Int64(pageOffset)) / 4096)
    if arguments.flags & 0x10 != 0 {
      let start = arguments.address &- pageOffset
      if start & 4095 != 0 || start >= Self.userEnd || byteCount > Self.userEnd - start { return .error(.einval) }
    }
    var view = ModelView(protection: arguments.protection & 7, maximum: 7, isShared: isShared)
    if !isAnonymous {
      guard let file = process.file(arguments.descriptor) else { return .error(.ebadf) }
      if arguments.flags & 3 == 0 { return .error(.einval) }
      guard let object = file.object else { return .anything }
      let writable = file.isWritable && object.seals & 8 == 0
      if isShared && !writable {
        if arguments.protection & 2 != 0 { return .error(.eacces) }
        view.maximum = 5
      }
      if arguments.offset > Int64.max - Int64(byteCount) { return .error(.einval) }
      object.accessTime = now
      view.object = object
      view.countsAsWritable = isShared && writable
    } else {
      if isShared {
        let object = ModelObject()
        object.size = Int64(byteCount)
        view.object = object
      }
    }
    let limit = arguments.protection >> 16 & 7
    if limit != 0 { view.maximum &= limit }
    return try place(process, arguments, view, firstPage, byteCount, observed)
  }

  private func argumentError(_ arguments: MapArguments) -> Errno? {
    let flags = arguments.flags
    let limit = arguments.protection >> 16 & 7
    if arguments.protection & ~0x7_0007 != 0 { return .einval }
    if limit != 0 && arguments.protection & 7 & ~limit != 0 { return .eopnotsupp }
    if arguments.byteCount == 0 { return .einval }
    if flags & 0x1000 != 0 && (arguments.descriptor != -1 || arguments.offset != 0) { return .einval }
    if flags & 0x4000 != 0 && flags & 0x10 == 0 { return .einval }
    if flags & 3 == 3 { return .einval }
    return nil
  }

  private func place(
    _ process: ModelProcess, _ arguments: MapArguments, _ view: ModelView, _ firstPage: Int, _ byteCount: UInt64,
    _ observed: Observation
  ) throws(Difference) -> Expectation {
    let pageOffset = UInt64(arguments.offset) & 4095
    let start: UInt64
    if arguments.flags & 0x10 != 0 {
      start = arguments.address - pageOffset
      let isTaken = ModelProcess.pages(start, byteCount).contains { process.memory[$0] != nil }
      if arguments.flags & 0x4000 != 0 && isTaken { return .error(.enomem) }
      if start < 0x1000 { return .anything }
    } else {
      guard case .value(let chosen) = observed else { throw Difference("got \(observed), expected an address") }
      start = chosen &- pageOffset
      if start & 4095 != 0 || start < 0x1000 || start >= Self.userEnd || byteCount > Self.userEnd - start {
        throw Difference("address \(hexadecimal(chosen)) cannot be a mapping")
      }
      if let page = ModelProcess.pages(start, byteCount).first(where: { process.memory[$0] != nil }) {
        throw Difference("address \(hexadecimal(chosen)) covers the mapping at \(hexadecimal(page << 12))")
      }
    }
    for (index, page) in ModelProcess.pages(start, byteCount).enumerated() {
      var view = view
      view.objectPage = firstPage + index
      process.memory[page] = view
    }
    return .value(start + pageOffset)
  }

  func unmap(_ process: ModelProcess, _ address: UInt64, _ byteCount: UInt64) -> Expectation {
    if byteCount == 0 { return .error(.einval) }
    if address >= Self.userEnd || byteCount > Self.userEnd - address { return .error(.einval) }
    for page in ModelProcess.pages(address, byteCount) { process.memory[page] = nil }
    return .value(0)
  }

  func protect(
    _ process: ModelProcess, _ address: UInt64, _ byteCount: UInt64, _ protection: UInt32
  ) -> Expectation {
    if protection & ~0x7_0007 != 0 { return .error(.einval) }
    if byteCount > UInt64.max - address { return .error(.einval) }
    let pages = ModelProcess.pages(address, byteCount)
    if pages.contains(where: { page in process.memory[page].map { protection & 7 & ~$0.maximum != 0 } ?? false }) {
      return .error(.eacces)
    }
    for page in pages { process.memory[page]?.protection = protection & 7 }
    return .value(0)
  }
}
