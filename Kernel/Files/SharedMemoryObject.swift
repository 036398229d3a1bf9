// A POSIX shared memory object (spec shm.md, 1.1): what files and names refer to, in front of a VM object.
//
// Invariants
// - The instance lives as long as an open file, a name or a continuation refers to it; mappings refer to the VM object only.
// - `vmObject.pageCount` is the size divided by the page size, rounded up, between events; bytes of the last page behind
//   the size are zero unless someone stored there through a mapping after the last change of size.
// - A name refers to at most one object, and an object has at most one name (`nameEntry`).

import ABI
public import Memory
import Primitives

/// A shared memory object.
///
/// There may be a million of these: one takes 128 bytes, to which the order of its parts matters (size_test, `names`).
public final class SharedMemoryObject: VMObjectHolder {
  let fileServicesReference: BackReference<FileServices>
  private let storage: VMObjectReference
  /// The length in bytes.
  public internal(set) var size: Int64 = 0
  /// Owner, group and permission bits.
  var ownership: Ownership
  private let flagBits: UInt8
  /// The entry of its name, or none.
  var nameEntry = Handle<NameEntry>.none
  /// Identifies the object in fstat(2); never reused.
  public let inode: UInt64
  /// When the object was created; nanoseconds since 1970, in the precision of that moment.
  let birthNanoseconds: UInt64
  var accessNanoseconds: UInt64
  var modificationNanoseconds: UInt64
  var changeNanoseconds: UInt64
  var rangeLock = RangeLock()
  /// Mappings into the kernel, which forbid shrinking (spec shm.md, 4).
  var kernelMappingCount: Int32 = 0
  /// The inspection that visited the object last.
  var inspection: UInt32 = 0
  private var largePageSizePlace: Int8 = 0
  /// What is done when there is no memory for a large page.
  var largePagePolicy = LargePagePolicy.usual
  /// What may no longer be done.
  var seals: Seals

  /// Makes an object of so many pages, none of them present.
  ///
  /// Throws ENOMEM when the pageable store cannot be had.
  init(
    _ fileServices: FileServices, _ ownership: Ownership, _ flags: SharedMemoryFlags, _ account: UserAccount,
    pageCount: UInt64 = 0
  ) throws(Errno) {
    storage = try VMObject.make(fileServices.memory, .sharedMemory, pageCount: pageCount, account: account)
    size = Int64(pageCount << Page.shift)
    fileServicesReference = BackReference(fileServices)
    self.ownership = ownership
    flagBits = UInt8(truncatingIfNeeded: flags.rawValue)
    seals = flags.contains(.allowSealing) ? [] : .seal
    inode = fileServices.nextInode()
    let now = fileServices.timestamp
    birthNanoseconds = now
    accessNanoseconds = now
    modificationNanoseconds = now
    changeNanoseconds = now
    fileServices.liveSharedMemoryObjectCount += 1
    super.init()
    storage.object.holder = BackReference(self)
  }

  deinit {
    storage.object.holder = BackReference()
    fileServicesReference.borrow { $0.liveSharedMemoryObjectCount -= 1 }
  }

  /// Whether it has a name.
  @inline(__always)
  var isNamed: Bool { !nameEntry.isNone }

  /// What shm_open2(2) was given at creation.
  @inline(__always)
  var flags: SharedMemoryFlags { SharedMemoryFlags(rawValue: UInt32(flagBits)) }

  /// How a large page object is configured (FIOSSHMLPGCNF): the size of its pages by its place among the sizes there are, 0
  /// until it is.
  var largePageSize: Int32 {
    get { Int32(largePageSizePlace) }
    set { largePageSizePlace = Int8(newValue) }
  }

  /// The kernel's files; whoever holds the object keeps them.
  var fileServices: FileServices {
    guard let fileServices = fileServicesReference.instance else { preconditionFailure("an object without its kernel") }
    return fileServices
  }

  /// The time that a change is noted with.
  @inline(__always)
  var timestamp: UInt64 { fileServicesReference.borrow { $0.timestamp } }

  /// The pageable store.
  @inline(__always)
  public var vmObject: VMObject { storage.object }

  /// One more reference to the pageable store, for a mapping.
  func reference() -> VMObjectReference { storage.copy() }

  /// Leaves the range lock and wakes those whose turn it is.
  func releaseRange(_ entry: RangeLockEntry) {
    let fileServices = fileServices
    rangeLock.leave(entry) { fileServices.wake(.turn($0.number)) }
  }
}
