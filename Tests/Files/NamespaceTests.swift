// The name table: hash, agreement with a dictionary, balance under collisions (spec shm.md, 1.2).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Shared memory names")
struct NamespaceTests {
  private func key(_ bytes: [UInt8]) -> NameKey { NameKey(bytes.span) }

  /// Two bytes swapped for two others with the same hash, found by brute force over three-byte strings.
  private func colliding(_ count: Int, behind start: String = "/") -> [[UInt8]] {
    // FNV-1 with 32 bits: blocks A and B with equal hash effect from the same state are found by birthday search.
    var seen: [UInt32: [UInt8]] = [:]
    var generator = SeededGenerator(seed: 42)
    var pairs: [([UInt8], [UInt8])] = []
    var prefix = Array(start.utf8)
    while 1 << pairs.count < count {
      seen = [:]
      while true {
        let word = (0..<6).map { _ in UInt8.random(in: 1...255, using: &generator) }
        let hash = key(prefix + word).hash
        if let other = seen[hash], other != word {
          pairs.append((other, word))
          prefix += word
          break
        }
        seen[hash] = word
      }
    }
    return (0..<count).map { number in
      var path = Array(start.utf8)
      for (bit, pair) in pairs.enumerated() { path += number >> bit & 1 == 0 ? pair.0 : pair.1 }
      return path
    }
  }

  private func checkTree(_ names: borrowing SharedMemoryNamespace, _ handle: Handle<NameEntry>) -> (
    height: Int32, count: Int
  ) {
    if handle.isNone { return (0, 0) }
    let left = checkTree(names, names.entries[handle].left)
    let right = checkTree(names, names.entries[handle].right)
    #expect(abs(left.height - right.height) <= 1)
    #expect(names.entries[handle].height == max(left.height, right.height) + 1)
    return (max(left.height, right.height) + 1, left.count + right.count + 1)
  }

  @Test
  func `the hash is FNV-1 with FreeBSD's initial value`() {
    #expect(key([]).hash == 0x0200_0023)
    func naive(_ bytes: [UInt8]) -> UInt32 {
      var hash: UInt64 = 33_554_467
      for byte in bytes { hash = (hash * 0x0100_0193 % 0x1_0000_0000) ^ UInt64(byte) }
      return UInt32(hash)
    }
    for path in ["/", "/a", "/tmp/posixshm_regression_test", String(repeating: "x", count: 1023)] {
      #expect(key(Array(path.utf8)).hash == naive(Array(path.utf8)))
    }
  }

  @Test
  func `a path of any length is the words of its bytes, padded with zeros`() {
    for length in 0...140 {
      let path = (0..<length).map { UInt8(truncatingIfNeeded: $0 + 1) }
      #expect(Int(key(path).length) == length)
      #expect(path.span.wordCount == (length + 7) / 8)
      for index in 0..<(length + 7) / 8 * 8 {
        let byte = UInt8(truncatingIfNeeded: path.span.paddedWord(index / 8) >> UInt64(index % 8 * 8))
        #expect(byte == (index < length ? path[index] : 0))
      }
    }
  }

  @Test
  func `byte-exact, case sensitive, no normalisation: three spellings are three names`() throws {
    try withMachine { machine in
      for path in ["/a//b", "/a/b", "/a/./b", "/A/b", "/", "//", "/a/b/"] {
        _ = try machine.open2(path, [.readWrite, .create, .exclusive])
      }
      #expect(machine.files.names.count == 7)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `agrees with a dictionary for names of every length`(seed: UInt64) throws {
    try withMachine(frameCount: 16384) { machine in
      machine.table.setLimit(Int64.max)
      var generator = SeededGenerator(seed: seed)
      var model: [String: UInt64] = [:]
      let lengths = [1, 2, 3, 7, 8, 9, 62, 63, 64, 65, 66, 183, 184, 185, 186, 304, 305, 1022]
      for round in 0..<1500 {
        // Few letters and common prefixes, so that names differ late.
        let length = lengths.randomElement(using: &generator)!
        var path = [UInt8](repeating: UInt8(ascii: "a"), count: length)
        path[length - 1] = UInt8.random(in: 97...101, using: &generator)
        if length > 2 { path[length / 2] = UInt8.random(in: 97...101, using: &generator) }
        let name = "/" + String(decoding: path, as: UTF8.self)
        if Bool.random(using: &generator) {
          let descriptor = try machine.open2(name, [.readWrite, .create])
          let inode = try machine.status(descriptor).inode
          if let known = model[name] { #expect(inode == known) } else { model[name] = inode }
          try machine.table.close(descriptor)
        } else {
          let result = error { () throws(Errno) in try machine.unlink(name) }
          #expect(result == (model.removeValue(forKey: name) == nil ? .enoent : nil))
        }
        #expect(machine.files.counts.names == model.count)
        #expect(machine.files.counts.sharedMemoryObjects == model.count)
        if round % 500 == 0 {
          for (name, inode) in model {
            let descriptor = try machine.open2(name, .readOnly)
            #expect(try machine.status(descriptor).inode == inode)
            try machine.table.close(descriptor)
          }
        }
      }
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `names made to collide form a balanced tree`() throws {
    try withMachine(frameCount: 16384) { machine in
      let paths = colliding(512)
      let hash = key(paths[0]).hash
      for path in paths {
        #expect(key(path).hash == hash)
        try machine.table.close(try machine.open2(path, [.readWrite, .create, .exclusive]))
      }
      let root = machine.files.names.root(of: hash)
      let shape = checkTree(machine.files.names, root)
      #expect(shape.count == 512)
      // 1.44 times the logarithm.
      #expect(shape.height <= 13)
      var generator = SeededGenerator(seed: 7)
      var left = paths
      while left.count > 10 {
        let path = left.remove(at: Int.random(in: 0..<left.count, using: &generator))
        try machine.files.unlinkSharedMemory(path: path.span, machine.caller)
        if left.count % 64 == 0 {
          #expect(checkTree(machine.files.names, machine.files.names.root(of: hash)).count == left.count)
        }
      }
      for path in left { try machine.table.close(try machine.open2(path, .readOnly)) }
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `names that begin alike and collide are told apart by what is kept behind their entries`() throws {
    try withMachine { machine in
      let paths = colliding(16, behind: "/" + String(repeating: "long", count: 20))
      var inodes: [UInt64] = []
      for path in paths {
        #expect(key(path).hash == key(paths[0]).hash)
        let descriptor = try machine.open2(path, [.readWrite, .create, .exclusive])
        inodes.append(try machine.status(descriptor).inode)
        try machine.table.close(descriptor)
      }
      for (path, inode) in zip(paths, inodes) {
        let descriptor = try machine.open2(path, .readOnly)
        #expect(try machine.status(descriptor).inode == inode)
        try machine.table.close(descriptor)
        try machine.files.unlinkSharedMemory(path: path.span, machine.caller)
      }
      #expect(machine.files.counts.names == 0)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `memory that runs out gives ENFILE, and nothing has changed`() throws {
    // shows: shm 3.1.descriptor
    try withMachine { machine in
      let path = "/" + String(repeating: "long", count: 100)
      var number: UInt32 = 0
      while true {
        number += 1
        machine.files.trim()
        machine.system.services.failures.fail(.frame, number: number)
        let result = error { () throws(Errno) in _ = try machine.open2(path, [.readWrite, .create]) }
        machine.system.services.failures.disarm()
        if result == nil { break }
        #expect(result == .enfile)
        #expect(machine.files.counts.openFiles == 0 && machine.files.counts.names == 0)
        #expect(machine.files.counts.sharedMemoryObjects == 0 && machine.table.count == 0)
      }
      // A group of buckets, blocks, an entry.
      #expect(number == 4)
      // Whichever of its records a longer name cannot have.
      let blocks = machine.files.names.blocks.count
      number = 0
      while true {
        number += 1
        machine.system.services.failures.fail(.nameRecord, number: number)
        let result = error { () throws(Errno) in _ = try machine.open2(path + path, [.readWrite, .create]) }
        machine.system.services.failures.disarm()
        if result == nil { break }
        #expect(result == .enfile && machine.files.names.blocks.count == blocks)
        #expect(machine.files.names.entries.count == 1)
      }
      #expect(number > machine.files.names.blocks.count - blocks && machine.files.names.blocks.count > blocks + 3)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `names are dropped in steps`() throws {
    try withMachine { machine in
      for index in 0..<500 { try machine.table.close(try machine.open2("/n\(index)", [.readWrite, .create])) }
      var steps = 0
      var budget = 64
      while !machine.files.removeAllNames(budget: &budget) {
        budget = 64
        steps += 1
      }
      #expect(steps == 500 / 64)
      #expect(machine.files.counts.sharedMemoryObjects == 0)
      #expect(machine.leakedFrames() == 0)
    }
  }
}
