// What sysctl(3) and fcntl(2) tell of processes, descriptors and mappings, field by field (spec abi.md, "kinfo_file"; FreeBSD's
// sys/user.h).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct InformationTests {
  private let number = TestKernel.data + 0x100
  private let length = TestKernel.data + 0x140
  private let place = TestKernel.data + 0x1000

  /// sysctl(3) by numbers with so much room; nil when it fails.
  private func read(_ kernel: TestKernel, _ numbers: [UInt32], room: Int = 0x4000) -> [UInt8]? {
    kernel.store(TestKernel.words(numbers), at: number)
    kernel.storeWord(UInt64(room), at: length)
    guard let result = kernel.call(.sysctl, number, UInt64(numbers.count), place, length, 0, 0), !result.failed else {
      return nil
    }
    return kernel.load(place, Int(kernel.loadWord(length)))
  }

  private func error(_ kernel: TestKernel, _ numbers: [UInt32]) -> Errno? {
    kernel.store(TestKernel.words(numbers), at: number)
    kernel.storeWord(0x4000, at: length)
    return kernel.call(.sysctl, number, UInt64(numbers.count), place, length, 0, 0)?.errno
  }

  private func word(_ bytes: ArraySlice<UInt8>, _ offset: Int, _ byteCount: Int = 4) -> Int64 {
    var value: UInt64 = 0
    for index in (0..<byteCount).reversed() { value = value << 8 | UInt64(bytes[bytes.startIndex + offset + index]) }
    return byteCount == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
  }

  /// Records that say how long they are.
  private func records(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    var result: [ArraySlice<UInt8>] = []
    var position = 0
    while position < bytes.count {
      let size = Int(word(bytes[position...], 0))
      guard size > 0, position + size <= bytes.count else { return [] }
      result.append(bytes[position..<position + size])
      position += size
    }
    return result
  }

  private func text(_ record: ArraySlice<UInt8>, _ offset: Int) -> String {
    String(decoding: record[(record.startIndex + offset)...].prefix { $0 != 0 }, as: UTF8.self)
  }

  // MARK: Descriptors

  private func openEverything(_ kernel: TestKernel) {
    kernel.call(.shmOpen2, kernel.string("/named", at: number), .createReadWrite, 0o640, 0, 0)
    kernel.call(.ftruncate, kernel.result.value, 12345)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.open, kernel.string("/dev/null", at: number), 1 | 8)
    kernel.call(.open, kernel.string("/bin/prog", at: number), 0)
    kernel.call(.lseek, kernel.result.value, 5, 0)
    kernel.call(.pipe2, number, 4)
    _ = kernel.socketPair(.stream)
    kernel.call(.kqueue)
  }

  @Test func `what a process has open is told, record by record`() throws {
    let kernel = try TestKernel()
    openEverything(kernel)
    let pid = UInt32(kernel.identifier)
    let records = records(try #require(read(kernel, [1, 14, 33, pid])))
    let descriptors: [Int64] = [-5, -1, -2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    #expect(records.map { word($0, 8) } == descriptors)
    let types: [Int64] = [1, 1, 1, 1, 1, 1, 8, 8, 1, 1, 3, 3, 2, 2, 5]
    #expect(records.map { word($0, 4) } == types)
    #expect(
      records.map { text($0, 368) } == [
        "/bin/prog", "/", "/", "/dev/console", "/dev/console", "/dev/console", "/named", "", "/dev/null", "/bin/prog",
        "", "",
        "local", "local", "",
      ])
    for record in records { #expect(record.count % 8 == 0 && word(record, 12) == -1) }
    // kf_flags: read, write, append, non-blocking.
    let flags: [Int64] = [3, 3, 6, 1, 0x23, 0x23, 0x23, 0x23, 3]
    #expect(records.dropFirst(6).map { word($0, 16) } == flags)
    let named = records[6]
    #expect(word(named, 312, 8) == 12345 && word(named, 328) & 0xFFFF == 0o100640)
    #expect(word(records[9], 24, 8) == 5)
    // Rights: all.
    #expect(word(named, 344, 8) == Int64(bitPattern: CapabilityRights.all.words.0))
    // The ends of a pipe and of a pair name each other.
    #expect(word(records[10], 304, 8) == word(records[11], 312, 8))
    #expect(word(records[12], 304, 8) == word(records[13], 320, 8) && word(records[12], 304, 8) != 0)
    #expect(word(records[12], 36) == 1 && word(records[12], 40) == 1)
    kernel.call(.shmUnlink, kernel.string("/named", at: number))
    let again = self.records(try #require(read(kernel, [1, 14, 33, pid])))
    #expect(text(again[6], 368) == "")
  }

  @Test func `a list that does not fit ends with a whole record`() throws {
    let kernel = try TestKernel()
    let pid = UInt32(kernel.identifier)
    let whole = try #require(read(kernel, [1, 14, 33, pid]))
    let sizes = records(whole).map(\.count)
    kernel.store(TestKernel.words([1, 14, 33, pid]), at: number)
    kernel.storeWord(UInt64(sizes[0] + sizes[1] + 8), at: length)
    #expect(kernel.call(.sysctl, number, 4, place, length, 0, 0)?.errno == .enomem)
    #expect(kernel.loadWord(length) == UInt64(sizes[0] + sizes[1]))
    #expect(kernel.load(place, sizes[0] + sizes[1]) == Array(whole.prefix(sizes[0] + sizes[1])))
    // Only the length.
    kernel.storeWord(0, at: length)
    #expect(kernel.call(.sysctl, number, 4, 0, length, 0, 0)?.failed == false)
    #expect(kernel.loadWord(length) == UInt64(whole.count))
    // Mappings end there without an error.
    let mappings = try #require(read(kernel, [1, 14, 32, pid]))
    let first = records(mappings)[0].count
    kernel.store(TestKernel.words([1, 14, 32, pid]), at: number)
    kernel.storeWord(UInt64(first + 8), at: length)
    #expect(kernel.call(.sysctl, number, 4, place, length, 0, 0)?.failed == false)
    #expect(kernel.loadWord(length) == UInt64(first))
  }

  @Test func `F_KINFO tells the whole structure of one descriptor`() throws {
    // shows: shm 3.1.fill, 3.24.kinfo
    let kernel = try TestKernel()
    openEverything(kernel)
    kernel.storeWord(1392, at: place)
    #expect(kernel.call(.fcntl, 3, 22, place)?.value == 0)
    let bytes = try #require(kernel.load(place, 1392))
    #expect(word(bytes[...], 0) == 1392 && word(bytes[...], 4) == 8)
    #expect(word(bytes[...], 8) == 3)
    #expect(text(bytes[...], 368) == "/named" && bytes[(368 + 6)...].allSatisfy { $0 == 0 })
    #expect(kernel.call(.fcntl, 99, 22, place)?.errno == .ebadf)
    kernel.storeWord(1391, at: place)
    #expect(kernel.call(.fcntl, 3, 22, place)?.errno == .einval)
    #expect(kernel.call(.fcntl, 3, 22, 8)?.errno == .efault)
    kernel.call(.shmUnlink, kernel.string("/named", at: number))
  }

  @Test func `exchanged names are told of their objects`() throws {
    let kernel = try TestKernel()
    func path(of descriptor: UInt64) -> String? {
      kernel.storeWord(1392, at: place)
      guard kernel.call(.fcntl, descriptor, 22, place)?.failed == false else { return nil }
      return kernel.load(place, 1392).map { text($0[...], 368) }
    }
    let one = kernel.string("/one", at: number)
    let other = kernel.string("/other", at: length)
    kernel.call(.shmOpen2, one, .createReadWrite, 0o600, 0, 0)
    let first = kernel.result.value
    kernel.call(.shmOpen2, other, .createReadWrite, 0o600, 0, 0)
    let second = kernel.result.value
    #expect(kernel.call(.shmRename, one, other, 2)?.failed == false)
    #expect(path(of: first) == "/other" && path(of: second) == "/one")
    kernel.call(.shmUnlink, other)
    #expect(path(of: first) == "" && path(of: second) == "/one")
    kernel.call(.shmUnlink, one)
  }

  // MARK: Mappings

  @Test func `mappings are told with what they show`() throws {
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, kernel.string("/mapped", at: number), .createReadWrite, 0o600, 0, 0)
    let file = kernel.result.value
    kernel.call(.ftruncate, file, 5 * 4096)
    kernel.call(.mmap, 0x1000_0000, 4 * 4096, .readWrite, 1 | 0x10, file, 4096)
    kernel.store([1], at: 0x1000_0000)
    kernel.store([1], at: 0x1000_2000)
    kernel.call(.mmap, 0x2000_0000, 3 * 4096, .readOnly, .fixedPrivateMemory, UInt64(bitPattern: -1), 0)
    kernel.call(.mmap, 0x3000_0000, 2 * 4096, .noAccess, 0x2000 | 0x10, UInt64(bitPattern: -1), 0)
    let pid = UInt32(kernel.identifier)
    let records = records(try #require(read(kernel, [1, 14, 32, pid])))
    func record(_ start: Int64) -> ArraySlice<UInt8>? { records.first { word($0, 8, 8) == start } }
    let shared = try #require(record(0x1000_0000))
    #expect(word(shared, 16, 8) == 0x1000_4000 && word(shared, 24, 8) == 4096)
    #expect(word(shared, 4) == 3 && word(shared, 44) == 0x100 && word(shared, 56) == 3)
    #expect(word(shared, 48) == 2 && word(shared, 52) == 2 && word(shared, 60) == 2)
    #expect(text(shared, 136) == "/mapped")
    let own = try #require(record(0x2000_0000))
    #expect(word(own, 4) == 0 && word(own, 44) & 1 == 1 && word(own, 48) == 0 && word(own, 56) == 1)
    let guarded = try #require(record(0x3000_0000))
    #expect(word(guarded, 4) == 9 && word(guarded, 56) == 0)
    // In order, and none twice.
    let starts = records.map { word($0, 8, 8) }
    #expect(starts == starts.sorted() && Set(starts).count == starts.count)
    kernel.call(.shmUnlink, kernel.string("/mapped", at: number))
  }

  // MARK: Processes

  @Test func `processes are told, all or chosen`() throws {
    let kernel = try TestKernel()
    let own = UInt32(kernel.identifier)
    let child = kernel.fork()
    let (_, _) = kernel.wait(child) {
      kernel.call(.setuid, 7)
      let bytes = read(kernel, [1, 14, 1, UInt32(child)]) ?? []
      #expect(bytes.count == 1088)
      if bytes.count == 1088 {
        #expect(
          word(bytes[...], 0) == 1088 && word(bytes[...], 72) == Int64(child) && word(bytes[...], 76) == Int64(own))
        #expect(word(bytes[...], 168) == 7 && word(bytes[...], 172) == 7 && word(bytes[...], 596) == 1)
        #expect(text(bytes[...], 447) == "prog" && bytes[388] == 2)
      }
      let all = records(read(kernel, [1, 14, 0]) ?? [])
      #expect(Set(all.map { word($0, 72) }) == [Int64(own), Int64(child)])
      #expect(records(read(kernel, [1, 14, 5, 7]) ?? []).map { word($0, 72) } == [Int64(child)])
      #expect(records(read(kernel, [1, 14, 6, 0]) ?? []).map { word($0, 72) } == [Int64(own)])
      #expect(records(read(kernel, [1, 14, 8 | 16]) ?? []).count == 2)
      // Another's descriptors are not for everybody.
      #expect(error(kernel, [1, 14, 33, own]) == .eperm)
      #expect(error(kernel, [1, 14, 32, own]) == .eperm)
      #expect(error(kernel, [1, 14, 39, own]) == .eperm)
      kernel.call(.exit, 0)
    }
    #expect(error(kernel, [1, 14, 1, 9999]) == .esrch && error(kernel, [1, 14, 33, 9999]) == .esrch)
    #expect(error(kernel, [1, 14, 1]) == .einval && error(kernel, [1, 14, 33]) == .einval)
    #expect(error(kernel, [1, 14, 77, 1]) == .enoent && error(kernel, [1, 14, 33 | 16, own]) == .enoent)
    kernel.call(.umask, 0o27)
    #expect(read(kernel, [1, 14, 39, own]) == [0o27, 0])
    // Who asks for the length is told of five more.
    kernel.store(TestKernel.words([1, 14, 0]), at: number)
    #expect(kernel.call(.sysctl, number, 3, 0, length, 0, 0)?.failed == false)
    #expect(kernel.loadWord(length) == 6 * 1088)
  }
}
