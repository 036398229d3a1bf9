// The memory management unit of a simulated processor: walks the x86-64 page tables that lie in simulated memory
// (Intel SDM volume 3, chapter 4) and is no kinder than a real one: what it has cached stays until it is invalidated, it
// forgets and fills at random, and it marks accessed whatever it walks.
//
// Only user-mode accesses are made: the kernel never dereferences a user address (DESIGN.md).

/// The translation hardware of one simulated processor.
public final class SoftwareMMU {
  let memory: SimulatedMemory
  var generator: SeededGenerator
  var cache: TranslationCache

  /// Physical address of the PML4 in use; nil before the first root load.
  public private(set) var root: UInt64?

  /// What the hardware saw that no correct kernel shows it; a test fails when this is not empty.
  public internal(set) var violations: [String] = []

  /// Asked for every table that a walk enters, so that a walk through a freed page-table page is noticed at once.
  public var isPageTable: ((_ physical: UInt64) -> Bool)?

  /// How many walks were made (misses), for statistics.
  public internal(set) var walkCount = 0

  /// Makes a unit over `memory` with caches of the given sizes.
  public init(memory: SimulatedMemory, seed: UInt64, translationLimit: Int = 24, tableLimit: Int = 8) {
    self.memory = memory
    generator = SeededGenerator(seed: seed)
    cache = TranslationCache(translationLimit: translationLimit, tableLimit: tableLimit)
  }

  /// Translates a user access, setting accessed and dirty bits as a processor does.
  public func translate(_ address: UInt64, _ access: MemoryAccess) throws(PageFault) -> UInt64 {
    let page = address >> 12
    guard Self.isCanonical(address) else {
      throw fault(address, access, [])
    }
    if let cached = cache.translation(page: page) {
      if !Self.permits(cached, access) {
        // The fault discards the translation, so a fault from stale rights comes at most once (4.10.4.1).
        cache.removeTranslation(page: page)
        throw fault(address, access, .present)
      }
      if access != .write || cached.isDirty {
        return cached.physical | (address & 0xFFF)
      }
      // A first write through a clean translation walks again to set the dirty bit.
      cache.removeTranslation(page: page)
    }
    let translation = try walk(address, access)
    cache.insert(translation, &generator)
    return translation.physical | (address & 0xFFF)
  }

  static func isCanonical(_ address: UInt64) -> Bool {
    let top = Int64(bitPattern: address) >> 47
    return top == 0 || top == -1
  }

  static func permits(_ translation: CachedTranslation, _ access: MemoryAccess) -> Bool {
    if !translation.isUser { return false }
    switch access {
    case .read: return true
    case .write: return translation.isWritable
    case .fetch: return !translation.isNoExecute
    }
  }

  func fault(_ address: UInt64, _ access: MemoryAccess, _ extra: PageFaultCode) -> PageFault {
    var code = extra.union(.user)
    if access == .write { code.insert(.write) }
    if access == .fetch { code.insert(.fetch) }
    return PageFault(address: address, code: code)
  }

  // MARK: Invalidation

  /// A write of CR3.
  public func loadRoot(_ physical: UInt64) {
    root = physical
    cache.invalidateForRootLoad()
  }

  /// INVLPG.
  public func invalidate(page address: UInt64) {
    auditTables()
    cache.invalidate(page: address >> 12)
  }

  /// Everything, global translations included.
  public func invalidateAll() {
    auditTables()
    cache.invalidateAll()
  }

  /// Up to its invalidation, a cached table must still be a table: the walker may enter it at any moment.
  private func auditTables() {
    guard let isPageTable else { return }
    for table in cache.tables where !isPageTable(table.table) {
      violations.append("table at \(hexadecimal(table.table)) was freed while the processor could still walk it")
    }
  }
}

/// A number as Swift source writes it in hexadecimal.
public func hexadecimal(_ value: UInt64) -> String {
  "0x" + String(value, radix: 16)
}
