// A process of the reference model: descriptors in a dictionary, memory page by page, credentials.

/// One page of a process' address space.
struct ModelView {
  /// PROT bits.
  var protection: UInt32
  /// What mprotect(2) may give.
  var maximum: UInt32
  var isShared: Bool
  /// nil: anonymous private memory.
  var object: ModelObject?
  /// Index in `object`.
  var objectPage = 0
  /// The private copy, once there is one.
  var copy: ModelPage?
  /// The real user whose swap is reserved for this private page, if any is.
  var chargedUser: UInt32?
  /// A SHARED mapping from a writable descriptor: blocks F_SEAL_WRITE.
  var countsAsWritable = false
  /// Whether it is only kept free (MAP_GUARD, and what a stack may grow into).
  var isGuard = false
  /// Whether a stack may grow into it: scripts do not go there.
  var isGap = false
  /// Whether the kernel may, or may not, still see the object through this private page (vm.md 6 leaves it open which).
  var isUncertain = false

  /// Whether it is kept in memory (mlock(2)).
  var isLocked = false
  /// What minherit(2) said that fork(2) does with it; nil: what is usual.
  var inheritance: Int32?

  /// Whether the page lies beyond the end of its object.
  var isBeyondEnd: Bool {
    guard let object else { return false }
    return objectPage >= object.pageCount
  }
}

/// User and group identities.
struct ModelCredentials: Equatable {
  var realUser: UInt32 = 0
  var effectiveUser: UInt32 = 0
  var savedUser: UInt32 = 0
  var realGroup: UInt32 = 0
  var effectiveGroup: UInt32 = 0
  var savedGroup: UInt32 = 0
  var groups: [UInt32] = []

  func isMember(_ group: UInt32) -> Bool { group == effectiveGroup || groups.contains(group) }
}

/// How a process is doing.
enum ModelProcessState: Equatable {
  case running
  /// Ended with this wait status and not yet waited for.
  case zombie(Int32)
}

/// One limit of getrlimit(2).
struct ModelLimit: Equatable {
  static let infinity = Int64.max
  var soft = infinity
  var hard = infinity
}

/// A process.
final class ModelProcess {
  /// The script's number for it; process 1 is 0.
  let number: Int
  /// The kernel's number for it.
  let identifier: Int32
  var parent: Int
  var state = ModelProcessState.running
  var descriptors: [Int32: ModelDescriptor] = [:]
  var memory: [UInt64: ModelView] = [:]
  var credentials = ModelCredentials()
  var mask: UInt16 = 0o022
  var limits: [ModelLimit] = []
  var group: Int32
  var session: Int32
  /// Whether it executed a program since it was forked.
  var hasExecuted = false
  /// issetugid(2)
  var isTainted = false
  /// What has grown of the initial stack, in bytes. It is not in `memory`, and scripts do not go further.
  var stackByteCount = initialStackByteCount
  /// What is there of a stack at first.
  static let initialStackByteCount: UInt64 = 128 << 10
  /// The real user whose swap is reserved for the initial stack.
  var stackUser: UInt32 = 0
  var breakAddress = Program.dataEnd
  var signals = ModelSignals()
  /// Its threads, the oldest first; none once it has ended.
  var threads = [ModelThread(number: 0)]
  /// The thread whose step is looked at.
  var thread: ModelThread
  /// Whether it ever had several.
  var hasHadThreads = false
  var usage = ModelUsage()
  var childUsage = ModelUsage()
  /// The timers of ktimer_create(2).
  var timers: Set<Int32> = []
  /// The nice value, and the level in the normal class.
  var niceness: Int32 = 0
  var level: UInt16 = 0

  init(number: Int, identifier: Int32, parent: Int) {
    self.number = number
    self.identifier = identifier
    self.parent = parent
    group = identifier
    session = identifier
    thread = threads[0]
  }

  /// What fork(2) gives to a child.
  init(number: Int, identifier: Int32, copyOf other: ModelProcess) {
    self.number = number
    self.identifier = identifier
    parent = other.number
    group = other.group
    session = other.session
    thread = threads[0]
    descriptors = other.descriptors
    other.prepareInheritance()
    memory = other.inheritedMemory()
    for (page, view) in memory where view.chargedUser != nil {
      memory[page]?.chargedUser = other.credentials.realUser
    }
    stackUser = other.credentials.realUser
    credentials = other.credentials
    mask = other.mask
    limits = other.limits
    isTainted = other.isTainted
    niceness = other.niceness
    level = other.level
    stackByteCount = other.stackByteCount
    breakAddress = other.breakAddress
    signals.ignored = other.signals.ignored
    signals.caught = other.signals.caught
    signals.actions = other.signals.actions
    thread.segmentBases = other.thread.segmentBases
    thread.mask = other.thread.mask
    thread.alternateStack = other.thread.alternateStack
    thread.frames = other.thread.frames
    thread.stackSlot = other.thread.stackSlot
  }

  /// What is to be copied to a child of a shared mapping is a private one from then on, in both.
  private func prepareInheritance() {
    for (page, view) in memory where view.isShared && view.inheritance == 1 {
      memory[page]?.isShared = false
      memory[page]?.countsAsWritable = false
      if view.protection & 2 != 0 { memory[page]?.chargedUser = credentials.realUser }
    }
  }

  /// The memory of a child.
  private func inheritedMemory() -> [UInt64: ModelView] {
    var result = memory
    for (page, view) in memory {
      result[page]?.isLocked = false
      switch view.inheritance {
      case 2: result[page] = nil
      case 3:
        var fresh = ModelView(protection: view.protection, maximum: view.maximum, isShared: false)
        fresh.inheritance = 3
        let isCharged = view.isShared ? view.protection & 2 != 0 : view.chargedUser != nil
        fresh.chargedUser = isCharged ? credentials.realUser : nil
        result[page] = fresh
      default: break
      }
    }
    return result
  }

  /// Whether it can take a step.
  var isRunnable: Bool { state == .running && !signals.isStopped && threads.contains(where: \.isRunnable) }
  /// Whether one of its threads is blocked.
  var isBlocked: Bool { threads.contains { $0.blocked != nil } }
  /// The calls that threads are blocked in.
  var blockedCalls: [any SimulatedCall] { threads.compactMap { $0.blocked?.call } }

  /// The thread with this number of the script.
  func thread(_ number: Int) -> ModelThread? { threads.first { $0.number == number } }

  /// What counts for RLIMIT_AS, in bytes.
  var virtualByteCount: UInt64 { UInt64(memory.values.count { !$0.isGuard }) * 4096 + stackByteCount }

  /// The lowest descriptor not in use, from `minimum` on.
  func freeDescriptor(from minimum: Int32 = 0) -> Int32 {
    var number = minimum
    while descriptors[number] != nil { number += 1 }
    return number
  }

  func file(_ descriptor: Int32) -> ModelFile? { descriptors[descriptor]?.file }

  /// Where the table ends: there is one for 64 descriptors, and more as far as there are descriptors.
  var descriptorEnd: Int { Int(max(0, descriptors.keys.max() ?? 0)) / 64 * 64 + 64 }

  /// Pages of a byte range; empty when it is empty. What wraps ends at the top.
  static func pages(_ address: UInt64, _ byteCount: UInt64) -> Range<UInt64> {
    if byteCount == 0 { return 0..<0 }
    let (last, wraps) = address.addingReportingOverflow(byteCount - 1)
    return address / 4096..<(wraps ? UInt64.max : last) / 4096 + 1
  }
}

/// What happens at an address.
enum ModelAccess: Equatable {
  case fine
  /// Signal and code.
  case signal(Int32, Int32)
  /// The specification leaves it open; scripts do not go there.
  case open
}

extension ModelProcess {
  /// What an access of one page does.
  func access(page: UInt64, write: Bool) -> ModelAccess { access(page: page, needing: write ? 2 : 1) }

  /// What an instruction fetch does.
  func fetch(_ address: UInt64) -> ModelAccess { access(page: address / 4096, needing: 4) }

  private func access(page: UInt64, needing needed: UInt32) -> ModelAccess {
    guard let view = memory[page] else { return .signal(11, 1) }
    if view.isGap { return .open }
    if view.protection & needed == 0 {
      // What can be stored to or executed the processor lets be read, once it is there.
      return needed == 1 && view.protection & 6 != 0 ? .open : .signal(11, 2)
    }
    if view.isUncertain || view.isLocked && view.isBeyondEnd { return .open }
    if view.copy == nil && view.isBeyondEnd { return view.isShared ? .signal(10, 3) : .open }
    return .fine
  }

  /// What an access of a byte range does; `.open` when any part of it is, else the first part that faults.
  func access(_ address: UInt64, _ byteCount: Int, write: Bool) -> ModelAccess {
    var first = ModelAccess.fine
    for page in Self.pages(address, UInt64(byteCount)) {
      let access = access(page: page, write: write)
      if access == .open { return .open }
      if first == .fine { first = access }
    }
    return first
  }

  /// The bytes of a range whose access is fine, with the marks that reading leaves.
  func load(_ address: UInt64, _ byteCount: Int) -> [UInt8] {
    var result: [UInt8] = []
    var at = address
    let end = address + UInt64(byteCount)
    while at < end {
      let count = min(end - at, 4096 - at % 4096)
      let page = readPage(at / 4096)
      result += page[Int(at % 4096)..<Int(at % 4096 + count)]
      at += count
    }
    return result
  }

  private func readPage(_ number: UInt64) -> ModelPage {
    guard let view = memory[number] else { return ModelObject.zeroPage }
    if let copy = view.copy { return copy }
    guard let object = view.object else { return ModelObject.zeroPage }
    if object.pages[view.objectPage] == nil {
      // A page that was only read is clean: it may be dropped and count no longer at any time.
      object.perhapsAllocated.insert(view.objectPage)
      if !view.isShared { memory[number]?.isUncertain = true }
    }
    return object.page(view.objectPage)
  }

  /// Stores bytes in a range whose access is fine.
  func store(_ bytes: [UInt8], at address: UInt64) {
    var done = 0
    while done < bytes.count {
      let at = address + UInt64(done)
      let count = min(bytes.count - done, 4096 - Int(at % 4096))
      let part = Array(bytes[done..<done + count])
      if let view = memory[at / 4096] {
        if view.isShared, let object = view.object {
          object.setBytes(part, at: view.objectPage * 4096 + Int(at % 4096))
        } else {
          var copy = view.copy ?? view.object?.page(view.objectPage) ?? ModelObject.zeroPage
          copy.replaceSubrange(Int(at % 4096)..<Int(at % 4096) + count, with: part)
          memory[at / 4096]?.copy = copy
        }
      }
      done += count
    }
  }
}
