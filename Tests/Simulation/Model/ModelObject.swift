// A memory object of the reference model: pages by index, nothing shared, nothing lazy.

/// What a page of the model holds; 4096 bytes.
typealias ModelPage = [UInt8]

/// An instant that the model knows to lie in a range, in nanoseconds since 1970.
struct ModelInstant: Equatable {
  var earliest: UInt64
  var latest: UInt64
}

/// A shared memory object, or the memory of an anonymous shared mapping.
final class ModelObject {
  static let zeroPage = ModelPage(repeating: 0, count: 4096)

  /// Length in bytes.
  var size: Int64 = 0
  /// Pages that were ever touched and not removed since.
  var pages: [Int: ModelPage] = [:]
  /// Absent pages that the kernel may or may not have allocated.
  var perhapsAllocated: Set<Int> = []
  /// Pages that count as stored to because they were locked where they can be.
  var perhapsModified: Set<Int> = []
  /// Whether the kernel may say of a page that it was stored to.
  func isPerhapsModified(_ page: Int) -> Bool { pages[page] != nil || perhapsModified.contains(page) }

  /// The creator's real user, whose swap is reserved for the object.
  var creator: UInt32 = 0
  var owner: UInt32 = 0
  var group: UInt32 = 0
  var mode: UInt16 = 0
  /// SHM_ALLOW_SEALING and so on, as given at creation.
  var creationFlags: UInt32 = 0
  var seals: UInt32 = 1
  var inode: UInt64?
  var accessTime = ModelInstant(earliest: 0, latest: 0)
  var modificationTime = ModelInstant(earliest: 0, latest: 0)
  var changeTime = ModelInstant(earliest: 0, latest: 0)
  var birthTime = ModelInstant(earliest: 0, latest: 0)

  /// Pages of the object: ceil(size / 4096).
  var pageCount: Int { Self.pages(size) }

  /// Pages of so many bytes.
  static func pages(_ byteCount: Int64) -> Int { Int(byteCount / 4096) + (byteCount % 4096 == 0 ? 0 : 1) }

  func page(_ index: Int) -> ModelPage { pages[index] ?? Self.zeroPage }

  func bytes(from offset: Int, count: Int) -> [UInt8] {
    var result: [UInt8] = []
    var at = offset
    while at < offset + count {
      let part = min(offset + count - at, 4096 - at % 4096)
      result += page(at / 4096)[at % 4096..<at % 4096 + part]
      at += part
    }
    return result
  }

  func setBytes(_ bytes: [UInt8], at offset: Int) {
    var done = 0
    while done < bytes.count {
      let at = offset + done
      let count = min(bytes.count - done, 4096 - at % 4096)
      var page = page(at / 4096)
      page.replaceSubrange(at % 4096..<at % 4096 + count, with: bytes[done..<done + count])
      pages[at / 4096] = page
      perhapsAllocated.remove(at / 4096)
      done += count
    }
  }

  /// Spec shm.md section 2.4, sizes only; seals are the caller's.
  func resize(to length: Int64, at now: ModelInstant) {
    if length == size { return }
    if length < size {
      let tail = Int(length % 4096)
      let last = Int(length / 4096)
      if tail != 0, var page = pages[last] {
        page.replaceSubrange(tail..., with: repeatElement(0, count: 4096 - tail))
        pages[last] = page
      }
      let end = Self.pages(length)
      pages = pages.filter { $0.key < end }
      perhapsAllocated = perhapsAllocated.filter { $0 < end }
    }
    size = length
    modificationTime = now
    changeTime = now
  }
}
