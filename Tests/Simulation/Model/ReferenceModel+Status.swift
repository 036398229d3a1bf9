// fstat(2) in both layouts (spec shm.md 3.8, abi.md section 5), naively.
import ABI

/// Where the fields of `struct stat` lie: offset and length in bytes.
private struct StatusLayout {
  let byteCount: Int
  let device: (Int, Int)
  let inode: (Int, Int)
  let links: (Int, Int)
  let mode: (Int, Int)
  let user: Int
  let group: Int
  let represented: (Int, Int)
  /// Access, modification, change and birth.
  let times: [Int]
  let size: Int
  let blocks: Int
  let blockByteCount: Int
  /// What must be zero: flags, generation, padding.
  let zeros: [(Int, Int)]

  static let today = StatusLayout(
    byteCount: 224, device: (0, 8), inode: (8, 8), links: (16, 8), mode: (24, 2), user: 28, group: 32,
    represented: (40, 8), times: [48, 64, 80, 96], size: 112, blocks: 120, blockByteCount: 128,
    zeros: [(26, 2), (36, 4), (132, 4)] + stride(from: 136, to: 224, by: 8).map { ($0, 8) })
  static let of2008 = StatusLayout(
    byteCount: 120, device: (0, 4), inode: (4, 4), links: (10, 2), mode: (8, 2), user: 12, group: 16,
    represented: (20, 4), times: [24, 40, 56, 104], size: 72, blocks: 80, blockByteCount: 88,
    zeros: [(92, 4), (96, 4), (100, 4)])
}

extension ReferenceModel {
  func status(_ process: ModelProcess, _ descriptor: Int32, _ is2008: Bool) throws(Difference) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    let layout = is2008 ? StatusLayout.of2008 : .today
    if !reaches(process, .output, layout.byteCount, write: true) { return .error(.efault) }
    let bytes = try output(.output, layout.byteCount)
    try check("st_blksize", bytes, layout.blockByteCount, 4, 4096)
    for (offset, byteCount) in layout.zeros { try check("padding", bytes, offset, byteCount, 0) }
    if let object = file.object {
      try checkObject(object, bytes, layout)
    } else if let end = file.pipe {
      try checkPipe(end, bytes, layout)
    } else {
      try checkDevice(file, bytes, layout)
    }
    return .value(0)
  }

  private func checkObject(_ object: ModelObject, _ bytes: [UInt8], _ layout: StatusLayout) throws(Difference) {
    try check("st_mode", bytes, layout.mode.0, 2, UInt64(0o100000 | object.mode))
    try check("st_uid", bytes, layout.user, 4, UInt64(object.owner))
    try check("st_gid", bytes, layout.group, 4, UInt64(object.group))
    try check("st_rdev", bytes, layout.represented.0, layout.represented.1, 0)
    try check("st_size", bytes, layout.size, 8, UInt64(object.size))
    let blocks = Int(littleEndian(bytes, layout.blocks))
    let certain = object.pages.count
    if blocks < certain || blocks > certain + object.perhapsAllocated.count {
      throw Difference("st_blocks is \(blocks), expected \(certain) and perhaps \(object.perhapsAllocated.count) more")
    }
    let device = littleEndian(bytes, layout.device.0, byteCount: layout.device.1)
    if objectDevice == nil { objectDevice = device }
    try check("st_dev", bytes, layout.device.0, layout.device.1, objectDevice ?? 0)
    let inode = littleEndian(bytes, layout.inode.0, byteCount: layout.inode.1)
    if object.inode == nil {
      // Numbers grow with every object, whether its number was ever asked for or not.
      if inode == 0 { throw Difference("st_ino is 0") }
      if let other = inodes[inode], other !== object { throw Difference("st_ino \(inode) was another object's") }
      inodes[inode] = object
      object.inode = inode
    }
    try check("st_ino", bytes, layout.inode.0, layout.inode.1, object.inode ?? 0)
    let links = littleEndian(bytes, layout.links.0, byteCount: layout.links.1)
    let isMapped = processes.values.contains { $0.memory.values.contains { $0.object === object } }
    if isMapped ? links < 2 : links != 1 { throw Difference("st_nlink is \(links), mapped: \(isMapped)") }
    try instant("st_atim", bytes, layout.times[0], &object.accessTime)
    try instant("st_mtim", bytes, layout.times[1], &object.modificationTime)
    try instant("st_ctim", bytes, layout.times[2], &object.changeTime)
    try instant("st_birthtim", bytes, layout.times[3], &object.birthTime)
  }

  /// A fifo without a name, of which only size and two times change.
  private func checkPipe(_ end: ModelPipeEnd, _ bytes: [UInt8], _ layout: StatusLayout) throws(Difference) {
    try check("st_mode", bytes, layout.mode.0, 2, 0o010000)
    try check("st_size", bytes, layout.size, 8, UInt64(end.bytes.count))
    try check("st_nlink", bytes, layout.links.0, layout.links.1, 0)
    try check("st_uid", bytes, layout.user, 4, UInt64(end.user))
    try check("st_gid", bytes, layout.group, 4, UInt64(end.group))
    try check("st_rdev", bytes, layout.represented.0, layout.represented.1, 0)
    try check("st_blocks", bytes, layout.blocks, 8, UInt64(end.bytes.count + 4095) / 4096)
    let device = littleEndian(bytes, layout.device.0, byteCount: layout.device.1)
    let inode = littleEndian(bytes, layout.inode.0, byteCount: layout.inode.1)
    if device == 0 || inode == 0 || pipeDevice ?? device != device { throw Difference("st_dev of a pipe is \(device)") }
    pipeDevice = device
    if let known = end.inode ?? (pipeEnds.contains { $0.inode == inode } ? 0 : nil), known != inode {
      throw Difference("st_ino of a pipe is \(inode), expected \(known)")
    }
    end.inode = inode
    try instant("st_atim", bytes, layout.times[0], &end.accessTime)
    try instant("st_mtim", bytes, layout.times[1], &end.modificationTime)
    try instant("st_ctim", bytes, layout.times[2], &end.changeTime)
    try check("st_birthtim", bytes, layout.times[3], 8, 0)
  }

  /// Devices are character devices with an owner and a mode; programs are read-only files, and nothing changes those.
  private func checkDevice(_ file: ModelFile, _ bytes: [UInt8], _ layout: StatusLayout) throws(Difference) {
    let owner = devices[file.kind.name ?? ""] ?? ModelOwnership()
    var mode = UInt64(0o020000 | owner.mode)
    var size: UInt64 = 0
    if case .program(let content) = file.kind {
      mode = 0o100555
      size = UInt64(content.count)
    }
    try check("st_mode", bytes, layout.mode.0, 2, mode)
    try check("st_size", bytes, layout.size, 8, size)
    try check("st_nlink", bytes, layout.links.0, layout.links.1, 1)
    try check("st_uid", bytes, layout.user, 4, UInt64(owner.user))
    try check("st_gid", bytes, layout.group, 4, UInt64(owner.group))
    try check("st_blocks", bytes, layout.blocks, 8, (size + 4095) / 4096 * 8)
    func field(_ place: (Int, Int)) -> UInt64 { littleEndian(bytes, place.0, byteCount: place.1) }
    let told = ModelFileIdentity(
      device: field(layout.device), inode: field(layout.inode), represented: field(layout.represented),
      times: layout.times.flatMap { [field(($0, 8)), field(($0 + 8, 8))] })
    try checkIdentity(file.kind.name ?? "", told, isDevice: file.isDevice)
  }

  /// The same file has the same identity always, two files never have the same.
  private func checkIdentity(_ name: String, _ told: ModelFileIdentity, isDevice: Bool) throws(Difference) {
    if (told.represented != 0) != isDevice { throw Difference("st_rdev is \(told.represented)") }
    if let known = fileIdentities[name] {
      if told != known && told != known.lowerHalf { throw Difference("\(name) is \(told), was \(known)") }
      return
    }
    let isTaken = fileIdentities.values.contains {
      $0.inode == told.inode && $0.device == told.device || isDevice && $0.represented == told.represented
    }
    if isTaken || told.inode == 0 || told.device == objectDevice {
      throw Difference("\(name) has the identity of another file: \(told)")
    }
    if told.times[0] * 1_000_000_000 + told.times[1] > now.latest || told.times[..<2] != told.times[2..<4] {
      throw Difference("the times of \(name) are \(told.times)")
    }
    fileIdentities[name] = told
  }

  /// A time of microsecond resolution inside the known range; what is seen is known exactly from then on.
  private func instant(
    _ name: String, _ bytes: [UInt8], _ offset: Int, _ known: inout ModelInstant
  ) throws(Difference) {
    let got = littleEndian(bytes, offset) * 1_000_000_000 + littleEndian(bytes, offset + 8)
    if got % 1000 != 0 || got < known.earliest / 1000 * 1000 || got > known.latest {
      throw Difference("\(name) is \(got), expected \(known.earliest)...\(known.latest)")
    }
    known = ModelInstant(earliest: got, latest: got)
  }
}
