// What a processor may do unasked at any moment: forget translations, and walk and cache any valid one, marking it
// accessed (Intel SDM volume 3, 4.10.2.3). And the check that what it remembers agrees with the tables.

extension SoftwareMMU {
  /// Does something unasked, as the seed says.
  public func speculate() {
    if generator.chance(oneIn: 3) { cache.evict(&generator) }
    if generator.chance(oneIn: 2), let address = someMappedAddress() {
      // A speculative fetch of data never sets a dirty bit and never faults.
      if cache.translation(page: address >> 12) == nil, let translation = try? walk(address, .read) {
        cache.insert(translation, &generator)
      }
    }
  }

  /// A user address that some chain of present entries leads to, chosen at random; nil when the draw finds none.
  private func someMappedAddress() -> UInt64? {
    guard var table = root else { return nil }
    var address: UInt64 = 0
    for level in stride(from: 4, through: 1, by: -1) {
      // The user half of the machine: PML4 slots 0 to 127.
      let limit = level == 4 ? 128 : 512
      let first = generator.number(below: limit)
      guard let index = presentIndex(in: table, from: first, limit: limit) else { return nil }
      let entry = HardwareEntry(raw: memory.word(at: table + 8 * UInt64(index)))
      address |= UInt64(index) << (12 + 9 * UInt64(level - 1))
      if entry.isLarge && level < 4 { return address }
      table = entry.address
    }
    return address
  }

  private func presentIndex(in table: UInt64, from first: Int, limit: Int) -> Int? {
    if table + 4096 > UInt64(memory.byteCount) { return nil }
    for offset in 0..<limit {
      let index = (first + offset) % limit
      if memory.word(at: table + 8 * UInt64(index)) & 1 != 0 { return index }
    }
    return nil
  }

  /// Compares everything cached with the tables in memory and describes each entry that promises more than they do.
  ///
  /// A cached translation may lack rights that the tables give (the fault that follows is harmless), but never the
  /// other way round when ring 3 is about to run.
  public func staleEntries() -> [String] {
    var found: [String] = []
    for cached in cache.translations {
      let address = cached.page << 12
      guard let actual = peek(address) else {
        found.append("\(hexadecimal(address)) is cached but no longer mapped")
        continue
      }
      if actual.physical != cached.physical {
        found.append("\(hexadecimal(address)) is cached for another frame")
      } else if actual.leafPageCount != cached.leafPageCount {
        found.append("\(hexadecimal(address)) is cached from a leaf of another size")
      } else if cached.isWritable && !actual.isWritable {
        found.append("\(hexadecimal(address)) is cached writable but is read-only")
      } else if cached.isUser && !actual.isUser || !cached.isNoExecute && actual.isNoExecute {
        found.append("\(hexadecimal(address)) is cached with rights it no longer has")
      } else if cached.isDirty && !actual.isDirty && cached.isWritable {
        found.append("\(hexadecimal(address)) is cached dirty but its dirty bit was cleared")
      }
    }
    for cached in cache.tables where table(level: cached.level, region: cached.region) != cached.table {
      found.append("table at \(hexadecimal(cached.table)) is cached but no longer linked")
    }
    return found
  }

  /// The translation that the tables in memory give, without any side effect.
  func peek(_ address: UInt64) -> CachedTranslation? {
    guard let root else { return nil }
    var at = CachedTable(level: 4, region: 0, table: root, isWritable: true, isUser: true, isNoExecute: false)
    while true {
      let entry = HardwareEntry(raw: memory.word(at: at.table + 8 * Self.index(address, level: at.level)))
      if !entry.isPresent { return nil }
      at.isWritable = at.isWritable && entry.isWritable
      at.isUser = at.isUser && entry.isUser
      at.isNoExecute = at.isNoExecute || entry.isNoExecute
      if at.level == 1 || entry.isLarge { return leaf(entry, at, address) }
      at.level -= 1
      at.table = entry.address
    }
  }

  private func table(level: Int, region: UInt64) -> UInt64? {
    guard var table = root else { return nil }
    let address = region << (12 + 9 * UInt64(level))
    for step in stride(from: 4, to: level, by: -1) {
      let entry = HardwareEntry(raw: memory.word(at: table + 8 * Self.index(address, level: step)))
      if !entry.isPresent || entry.isLarge { return nil }
      table = entry.address
    }
    return table
  }
}
