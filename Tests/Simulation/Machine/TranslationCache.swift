// The translations a simulated processor remembers: leaf translations (the TLB) and upper-level entries (the
// paging-structure caches of Intel SDM volume 3, 4.10.3). Nothing here looks at memory: what is cached stays, right or
// wrong, until it is invalidated or evicted.

/// A cached leaf translation of one 4 KiB page, or of a part of that size of a larger one.
struct CachedTranslation: Equatable {
  /// Virtual address divided by 4096.
  var page: UInt64
  /// 4 KiB pages of the leaf that it comes from.
  var leafPageCount: UInt64
  /// Physical address of the page.
  var physical: UInt64
  var isWritable: Bool
  var isUser: Bool
  var isNoExecute: Bool
  /// The entry's dirty bit was set when it was cached: writes go through without touching memory.
  var isDirty: Bool
  var isGlobal: Bool
}

/// A cached upper-level entry: the table that translates one region, with the rights gathered on the way to it.
struct CachedTable: Equatable {
  /// The level of the table it leads to: 3 (page-directory-pointer table), 2 (page directory) or 1 (page table).
  var level: Int
  /// Virtual address bits above the region that the table translates.
  var region: UInt64
  /// Physical address of the table.
  var table: UInt64
  var isWritable: Bool
  var isUser: Bool
  var isNoExecute: Bool
}

/// Fixed-size caches with random replacement.
struct TranslationCache {
  private(set) var translations: [CachedTranslation] = []
  private(set) var tables: [CachedTable] = []
  let translationLimit: Int
  let tableLimit: Int

  func translation(page: UInt64) -> CachedTranslation? {
    translations.first { $0.page == page }
  }

  func table(level: Int, region: UInt64) -> CachedTable? {
    tables.first { $0.level == level && $0.region == region }
  }

  mutating func insert(_ translation: CachedTranslation, _ generator: inout SeededGenerator) {
    if let index = translations.firstIndex(where: { $0.page == translation.page }) {
      translations[index] = translation
    } else if translations.count < translationLimit {
      translations.append(translation)
    } else {
      translations[generator.number(below: translationLimit)] = translation
    }
  }

  mutating func insert(_ table: CachedTable, _ generator: inout SeededGenerator) {
    if let index = tables.firstIndex(where: { $0.level == table.level && $0.region == table.region }) {
      tables[index] = table
    } else if tables.count < tableLimit {
      tables.append(table)
    } else {
      tables[generator.number(below: tableLimit)] = table
    }
  }

  /// Forgets one translation at random.
  mutating func evict(_ generator: inout SeededGenerator) {
    if !translations.isEmpty { translations.remove(at: generator.number(below: translations.count)) }
    if !tables.isEmpty && generator.chance(oneIn: 2) { tables.remove(at: generator.number(below: tables.count)) }
  }

  mutating func removeTranslation(page: UInt64) {
    translations.removeAll { $0.page == page }
  }

  /// INVLPG: the page's translations, global or not, all parts of a large page among them, and every upper-level entry
  /// (Intel SDM volume 3, 4.10.4.1).
  mutating func invalidate(page: UInt64) {
    translations.removeAll { $0.page & ~($0.leafPageCount - 1) == page & ~($0.leafPageCount - 1) }
    tables.removeAll()
  }

  /// A write of CR3: everything but global translations.
  mutating func invalidateForRootLoad() {
    translations.removeAll { !$0.isGlobal }
    tables.removeAll()
  }

  mutating func invalidateAll() {
    translations.removeAll()
    tables.removeAll()
  }
}
