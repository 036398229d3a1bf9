// Descriptor tables against a naive dictionary, and the rules of dup, fork, exec and the limits (spec fd.md, 1 to 4).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("File table")
struct FileTableTests {
  private func make(_ machine: Machine) -> OpenFile { NullFile(machine.files, [.read, .write]) }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `always the lowest free number, agreeing with a dictionary`(seed: UInt64) throws {
    try withMachine(frameCount: 8192) { machine throws in
      var generator = SeededGenerator(seed: seed)
      machine.table.setLimit(700)
      var model: [Int32: ObjectIdentifier] = [:]
      for round in 0..<6000 {
        // Long stretches of growth and of shrinking.
        let grows = (round / 1000) % 2 == 0
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<(grows ? 6 : 2):
          let minimum = Int32.random(in: 0..<700, using: &generator) * Int32.random(in: 0...1, using: &generator)
          let expected = (minimum..<700).first { model[$0] == nil }
          let file = make(machine)
          let got = try? machine.table.install(file, atOrAbove: minimum, closeOnExec: false)
          #expect(got == expected)
          if let expected { model[expected] = ObjectIdentifier(file) }
        case 6:
          let from = Int32.random(in: -2..<710, using: &generator)
          let target = Int32.random(in: -2..<710, using: &generator)
          let fits = model[from] != nil && target >= 0 && target < 700
          let result = error { () throws(Errno) in
            try machine.table.duplicate(from, onto: target, closeOnExec: false)
          }
          #expect(result == (fits ? nil : .ebadf))
          if fits { model[target] = model[from] }
        default:
          let descriptor = model.keys.sorted().randomElement(using: &generator) ?? 3
          let result = error { () throws(Errno) in try machine.table.close(descriptor) }
          #expect(result == (model.removeValue(forKey: descriptor) == nil ? .ebadf : nil))
        }
        #expect(machine.table.count == model.count)
        if round % 50 == 0 {
          for descriptor in -2..<710 as Range<Int32> {
            let file = try? machine.table.file(at: descriptor)
            #expect(file.map { ObjectIdentifier($0) } == model[descriptor])
          }
          #expect(machine.files.openFileCount == Set(model.values).count)
          var position = 0
          var walked: [Int32] = []
          while let next = machine.table.lowestUsed(from: position) {
            walked.append(Int32(next))
            position = next + 1
          }
          #expect(walked == model.keys.sorted())
        }
      }
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `full leaves and branches are passed in one step, and a hole in them is found at once`() throws {
    try withMachine(frameCount: 4096) { machine throws in
      // `limit` is small on a small machine; the tree itself is tested here.
      func fill(_ descriptor: Int32) throws {
        try machine.table.prepare(Int(descriptor))
        let file = descriptor == 0 ? make(machine) : try machine.table.file(at: 0)
        machine.table.fill(descriptor, file, closeOnExec: false)
      }
      for descriptor in 0..<9000 as Range<Int32> { try fill(descriptor) }
      #expect(machine.table.lowestFarFree(from: 64) == 9000)
      for hole in [64, 127, 4095, 4096, 8191, 8192] as [Int32] {
        try machine.table.close(hole)
        #expect(machine.table.lowestFarFree(from: 64) == Int(hole))
        #expect(machine.table.lowestFarFree(from: Int(hole) + 1) == 9000)
        try fill(hole)
      }
      let last = Int32(FileLimits.descriptorCount - 1)
      try fill(last)
      #expect(machine.table.lowestUsed(from: 9000) == Int(last))
      #expect(machine.table.lowestFarFree(from: Int(last)) == FileLimits.descriptorCount)
      #expect(error { () throws(Errno) in _ = try machine.table.reserveLowest() } == .emfile)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `dup and F_DUPFD: errors, and close-on-exec as asked`() throws {
    try withMachine { machine throws in
      machine.table.setLimit(8)
      #expect(try machine.table.install(make(machine), closeOnExec: true) == 0)
      #expect(try machine.table.duplicate(0, atOrAbove: 0, closeOnExec: false) == 1)
      #expect(try machine.table.flags(of: 0) == .closeOnExec)
      #expect(try machine.table.flags(of: 1) == [])
      #expect(try machine.table.duplicate(0, atOrAbove: 5, closeOnExec: true) == 5)
      #expect(try machine.table.flags(of: 5) == .closeOnExec)
      func dup(_ from: Int32, _ minimum: Int32) -> Errno? {
        error { () throws(Errno) in _ = try machine.table.duplicate(from, atOrAbove: minimum, closeOnExec: false) }
      }
      #expect(dup(0, -1) == .einval)
      #expect(dup(0, 8) == .einval)
      #expect(dup(3, 8) == .einval)
      #expect(dup(3, 0) == .ebadf)
      #expect(dup(-1, 0) == .ebadf)
      #expect(dup(0, 7) == nil)
      #expect(dup(0, 7) == .emfile)
      #expect(try machine.table.file(at: 0) === machine.table.file(at: 7))
    }
  }

  @Test
  func `dup2: same number, replacement, limits`() throws {
    try withMachine { machine throws in
      machine.table.setLimit(100)
      _ = try machine.table.install(make(machine), closeOnExec: true)
      _ = try machine.table.install(make(machine), closeOnExec: true)
      let count = machine.files.openFileCount
      func dup2(_ from: Int32, _ target: Int32, cloexec: Bool = false) -> Errno? {
        error { () throws(Errno) in try machine.table.duplicate(from, onto: target, closeOnExec: cloexec) }
      }
      #expect(dup2(0, 0) == nil)
      #expect(try machine.table.flags(of: 0) == .closeOnExec)
      #expect(dup2(0, 1) == nil)
      #expect(machine.files.openFileCount == count - 1)
      #expect(try machine.table.flags(of: 1) == [])
      #expect(dup2(1, 1, cloexec: true) == nil)
      #expect(try machine.table.flags(of: 1) == .closeOnExec)
      #expect(dup2(0, 99) == nil)
      #expect(dup2(0, 100) == .ebadf)
      #expect(dup2(0, -1) == .ebadf)
      #expect(dup2(5, 6) == .ebadf)
      #expect(dup2(5, 5) == .ebadf)
    }
  }

  @Test
  func `lowering the limit closes nothing, and refuses what is new`() throws {
    try withMachine { machine throws in
      for _ in 0..<10 { _ = try machine.table.install(make(machine), closeOnExec: false) }
      machine.table.setLimit(5)
      #expect((try? machine.table.file(at: 9)) != nil)
      #expect(error { () throws(Errno) in _ = try machine.table.install(make(machine), closeOnExec: false) } == .emfile)
      try machine.table.close(2)
      #expect(try machine.table.install(make(machine), closeOnExec: false) == 2)
      machine.table.setLimit(-1)
      #expect(machine.table.limit == 0)
      // Behind the first 64, too.
      machine.table.setLimit(66)
      for descriptor in 10..<66 as Range<Int32> {
        #expect(try machine.table.install(make(machine), closeOnExec: false) == descriptor)
      }
      #expect(error { () throws(Errno) in _ = try machine.table.install(make(machine), closeOnExec: false) } == .emfile)
    }
  }

  @Test
  func `fork copies descriptors, flags and limit, sharing the files; in steps when cut`() throws {
    // shows: shm 3.28.descriptors
    try withMachine(frameCount: 8192) { machine throws in
      machine.table.setLimit(500)
      for index in 0..<300 { _ = try machine.table.install(make(machine), closeOnExec: index % 3 == 0) }
      try machine.table.close(70)
      let child = FileTable(machine.files)
      var steps = 0
      var budget = 7
      while try !child.copy(from: machine.table, budget: &budget) {
        #expect(budget == 0)
        budget = 7
        steps += 1
      }
      #expect(steps == 299 / 7)
      #expect(child.count == 299 && child.limit == 500 && machine.files.openFileCount == 299)
      for descriptor in 0..<300 as Range<Int32> where descriptor != 70 {
        #expect(try child.file(at: descriptor) === machine.table.file(at: descriptor))
        #expect(try child.flags(of: descriptor) == machine.table.flags(of: descriptor))
      }
      // exec closes every third.
      budget = 10
      while !child.closeOnExec(budget: &budget) { budget = 10 }
      for descriptor in 0..<300 as Range<Int32> {
        #expect(((try? child.file(at: descriptor)) != nil) == (descriptor % 3 != 0 && descriptor != 70))
      }
      // The next exec begins from the front again, although this one was cut.
      for descriptor in [1, 65, 298] as [Int32] { try child.setFlags(.closeOnExec, of: descriptor) }
      budget = 1000
      #expect(child.closeOnExec(budget: &budget))
      for descriptor in [1, 65, 298] as [Int32] { #expect((try? child.file(at: descriptor)) == nil) }
      budget = 1
      while !child.closeAll(budget: &budget) { budget = 1 }
      #expect(child.count == 0)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `close_range closes what is in the range and nothing else`() throws {
    try withMachine { machine throws in
      for _ in 0..<100 { _ = try machine.table.install(make(machine), closeOnExec: false) }
      var budget = Int.max
      #expect(machine.table.closeRange(10, 80, budget: &budget))
      #expect(machine.table.count == 29)
      #expect((try? machine.table.file(at: 9)) != nil && (try? machine.table.file(at: 81)) != nil)
      #expect((try? machine.table.file(at: 10)) == nil && (try? machine.table.file(at: 80)) == nil)
      #expect(machine.table.closeRange(81, UInt32.max, budget: &budget))
      #expect(machine.table.count == 10)
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `kern.maxfiles: the last twentieth is the superuser's, then ENFILE for all; ENFILE comes before EMFILE`() throws
  {
    // shows: shm 3.1.descriptor
    try withMachine { machine throws in
      let maximum = machine.files.maximumFileCount
      let object = try machine.open2(nil as String?, .readWrite)
      _ = object
      var files: [OpenFile] = []
      while machine.files.openFileCount < maximum - maximum / 20 - 1 { files.append(make(machine)) }
      machine.caller = Credentials(machine.files, user: 5)
      #expect(error { () throws(Errno) in _ = try machine.open2(nil as String?, .readWrite) } == .enfile)
      machine.table.setLimit(0)
      #expect(error { () throws(Errno) in _ = try machine.open2(nil as String?, .readWrite) } == .enfile)
      machine.caller = Credentials(machine.files)
      #expect(error { () throws(Errno) in _ = try machine.open2(nil as String?, .readWrite) } == .emfile)
      machine.table.setLimit(10)
      #expect(error { () throws(Errno) in _ = try machine.open2(nil as String?, .readWrite) } == nil)
      while machine.files.openFileCount < maximum - 1 { files.append(make(machine)) }
      #expect(error { () throws(Errno) in _ = try machine.open2(nil as String?, .readWrite) } == .enfile)
      files = []
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `running out of frames gives EMFILE or ENOMEM and changes nothing`() throws {
    try withMachine(frameCount: 4096) { machine throws in
      for number in 1...4 as ClosedRange<UInt32> {
        machine.files.trim()
        machine.system.services.failures.fail(.frame, number: number)
        let result = error { () throws(Errno) in
          _ = try machine.table.install(make(machine), atOrAbove: 100, closeOnExec: false)
        }
        machine.system.services.failures.disarm()
        if result == nil {
          #expect(number == 4)
          break
        }
        #expect(result == .emfile)
        #expect(machine.table.count == 0 && machine.table.trunk.isNone)
      }
      #expect(machine.table.count == 1)
      machine.system.services.failures.fail(.frame, number: 1)
      machine.files.trim()
      var leaves: [FileTable] = []
      var sawFailure = false
      for _ in 0..<20 {
        let child = FileTable(machine.files)
        leaves.append(child)
        var budget = Int.max
        do throws(Errno) { _ = try child.copy(from: machine.table, budget: &budget) } catch {
          #expect(error == .enomem)
          sawFailure = true
        }
      }
      #expect(sawFailure)
      var budget = Int.max
      for table in leaves { #expect(table.closeAll(budget: &budget)) }
      #expect(machine.leakedFrames() == 0)
    }
  }
}
