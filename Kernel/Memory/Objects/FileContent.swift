// Objects that show a file whose content lies in memory, never to be changed: the files of /bin.
//
// Invariants
// - No page of such an object is ever dirty, because no mapping of it can be stored to; what a private mapping stores goes to a
//   shadow. A page that is not in memory is made anew from the content: so reclaim drops it, and nothing is reserved for it.
// - All who map the file at a time share one object, and with it each page that any of them has reached for.

public import Primitives

/// The content of a file.
open class FileContent: VMObjectHolder {
  /// Where it starts.
  public let start: PhysicalAddress
  /// The length in bytes.
  public let byteCount: UInt64
  /// The object that shows it, while there is one.
  private var object = BackReference<VMObject>()

  /// The content from an address on.
  public init(start: PhysicalAddress, byteCount: UInt64) {
    self.start = start
    self.byteCount = byteCount
  }

  /// The object that shows the content, for one mapping more. The caller has made sure of the heap's reserve.
  public func mappedObject(_ system: MemorySystem) -> VMObjectReference {
    // One without a reference is being torn down.
    if let object = object.instance, object.referenceCount > 0 { return VMObjectReference(object) }
    let new = VMObject(system, .file, pageCount: Page.count(covering: byteCount))
    new.holder = BackReference(self)
    object = BackReference(new)
    return VMObjectReference(new)
  }

  /// An object that showed the content is gone.
  fileprivate func ended(_ ended: VMObject) {
    if object.instance === ended { object = BackReference() }
  }
}

extension VMObject {
  /// Adds a page with what the file has there, and zeros behind its end; nil when memory for it cannot be had.
  @inline(never)
  func addPageOfFile(at index: UInt64, _ system: MemorySystem) -> FrameNumber? {
    guard let content = holder.instance as? FileContent else { preconditionFailure("a file without content") }
    guard let frame = addFrame(at: index, system) else { return nil }
    let offset = index << Page.shift
    let byteCount = min(content.byteCount - offset, Page.byteCount)
    system.physical.copy(content.start + offset, to: frame.address, byteCount: Int(byteCount))
    if byteCount < Page.byteCount {
      system.physical.zero(frame.address + byteCount, byteCount: Int(Page.byteCount - byteCount))
    }
    return frame
  }

  /// The object shows its file no more.
  func leaveFile() {
    (holder.instance as? FileContent)?.ended(self)
  }
}
