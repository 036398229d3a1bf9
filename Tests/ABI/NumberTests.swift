// Values that are computed rather than listed: wait statuses, access modes, protections, ioctl fields, ELF headers.

import ABI
import Testing

@Suite struct NumberTests {
  @Test(arguments: [0, 1, 3, 255, 256 + 7, -1] as [Int32]) func `exit keeps eight bits`(code: Int32) {
    let status = WaitStatus.exited(code)
    #expect(status.rawValue == (code & 0xff) << 8)
    #expect(status.exitCode == code & 0xff)
    #expect(status.terminationSignal == nil && status.stopSignal == nil)
  }

  @Test func `signals stops and continuation are told apart`() {
    let killed = WaitStatus.terminated(.sigkill)
    #expect(killed.rawValue == 9 && killed.terminationSignal == .sigkill && killed.exitCode == nil)
    let stopped = WaitStatus.stopped(.sigtstp)
    #expect(stopped.rawValue == 0x127f && stopped.stopSignal == .sigtstp && stopped.terminationSignal == nil)
    #expect(WaitStatus.continued.rawValue == 0x13 && WaitStatus.continued.terminationSignal == nil)
  }

  @Test func `access mode is the low two bits`() {
    #expect(OpenFlags([.readWrite, .create]).accessMode == .readWrite)
    #expect(OpenFlags(rawValue: 0x600).accessMode == .readOnly)
    #expect(!OpenFlags(rawValue: 3).accessMode.reads && !OpenFlags(rawValue: 3).accessMode.writes)
    #expect(AccessMode.writeOnly.writes && !AccessMode.writeOnly.reads)
  }

  @Test func `maximum protection stands in the upper half`() {
    let argument = Protection.read.rawValue | Protection.maximum([.read, .write])
    #expect(argument == 0x3_0001)
    #expect(Protection(argument: argument) == .read)
    #expect(Protection.maximum(inArgument: argument) == [.read, .write])
    #expect(Protection.maximum(inArgument: 7) == nil)
  }

  @Test func `map flags carry the alignment`() {
    #expect(MapFlags(rawValue: 21 << 24 | 0x1002).alignmentShift == 21)
    #expect(MapFlags.known.isDisjoint(with: [.ignored, .alignmentMask, MapFlags(rawValue: 0x180)]))
  }

  @Test func `ioctl fields are decoded`() {
    #expect(InputOutputControl.closeOnExec.isVoid && InputOutputControl.closeOnExec.parameterByteCount == 0)
    #expect(InputOutputControl.nonBlocking.copiesIn && InputOutputControl.nonBlocking.parameterByteCount == 4)
    #expect(InputOutputControl.getTerminalAttributes.copiesOut)
    #expect(InputOutputControl.getTerminalAttributes.parameterByteCount == 44)
    #expect(InputOutputControl.setLargePageConfiguration.parameterByteCount == 48)
  }

  @Test func `file types are compared without permissions`() {
    let mode: FileMode = [.characterDevice, .ownerRead, .otherWrite]
    #expect(mode.fileType == .characterDevice)
    #expect(FileMode.accessPermissions.rawValue == 0o777)
  }

  @Test func `numbers of the shared memory calls`() {
    #expect(SystemCallNumber.shmOpen.rawValue == 482)
    #expect(SystemCallNumber.shmUnlink.rawValue == 483)
    #expect(SystemCallNumber.shmOpen2.rawValue == 571)
    #expect(SystemCallNumber.shmRename.rawValue == 572)
    #expect(SystemCallNumber.ftruncate.rawValue == 480)
    #expect(SystemCallNumber.mmap.rawValue == 477)
  }

  @Test func `advice and other small sets`() {
    let advice: [MemoryAdvice] = [
      .normal, .random, .sequential, .willNeed, .dontNeed, .free, .noSynchronization, .automaticSynchronization,
      .noCore, .core, .protect,
    ]
    #expect(advice.map(\.rawValue) == Array(0...10))
    #expect(MemoryLockFlags([.current, .future]).rawValue == 3 && MemoryLockFlags.current.rawValue == 1)
    #expect(SynchronizeFlags([.asynchronous, .invalidate]).rawValue == 3 && SynchronizeFlags.invalidate.rawValue == 2)
    #expect(SharedMemoryRenameFlags.noReplace.rawValue == 1 && SharedMemoryRenameFlags.exchange.rawValue == 2)
    #expect(AccessCheckMode([.execute, .write, .read]).rawValue == 7 && AccessCheckMode.read.rawValue == 4)
    #expect(RebootFlags.halt.rawValue == 8 && RebootFlags.powerOff.rawValue == 0x4000)
    let residence: [PageResidence] = [
      .inCore, .referenced, .modified, .referencedByOther, .modifiedByOther, .superMask,
    ]
    #expect(residence.map(\.rawValue) == [1, 2, 4, 8, 16, 0x60])
  }

  /// A minimal header of a static executable with one program header behind it.
  private func executable() -> [UInt8] {
    var file = [UInt8](repeating: 0, count: ExecutableHeader.byteCount + ProgramHeader.byteCount)
    func put(_ bytes: [UInt8], at offset: Int) { file.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
    put([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 9], at: 0)
    put([2, 0, 62, 0, 1, 0, 0, 0, 0x78, 0x56, 0x34, 0x12], at: 16)
    put([64], at: 32)
    put([56, 0, 1, 0], at: 54)
    put([1, 0, 0, 0, 5, 0, 0, 0], at: 64)
    put([0, 0x10], at: 80)
    put([0x22, 0x01], at: 96)
    put([0x33, 0x02], at: 104)
    put([0, 0x10], at: 112)
    return file
  }

  @Test func `executable headers are decoded`() {
    let file = executable()
    let header = ExecutableHeader(decoding: file.span)
    #expect(header.isSupported)
    #expect(header.entry == 0x1234_5678 && header.programHeaderOffset == 64 && header.programHeaderCount == 1)
    let segment = ProgramHeader(decoding: file.span.extracting(64..<120))
    #expect(segment.type == ProgramHeader.typeLoad && segment.protection == [.read, .execute])
    #expect(segment.virtualAddress == 0x1000 && segment.fileByteCount == 0x122 && segment.memoryByteCount == 0x233)
    #expect(segment.alignment == 0x1000)
  }

  @Test(arguments: [(0, 0x7e), (4, 1), (5, 2), (6, 0), (7, 3), (16, 1), (18, 3), (54, 32), (56, 0)])
  func `other executables are not supported`(offset: Int, value: Int) {
    var file = executable()
    file[offset] = UInt8(value)
    #expect(!ExecutableHeader(decoding: file.span).isSupported)
  }
}
