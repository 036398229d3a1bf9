// The table of calls, the nodes of sysctl(3), and what exceptions become.

import ABI
import Memory
import Testing

@testable import SystemCalls

@Suite struct SystemCallTableTests {
  @Test func callsAreFoundUnderFreeBSDsNumbers() {
    let table = SystemCallTable()
    #expect(table[20].call == .getpid)
    #expect(table[571].call == .shmOpen2)
    #expect(table[571].copiesIn)
    #expect(table[571].allocation == .refusesWithFileLimit)
    #expect(table[477].allocation == .refusesWithNoMemory)
    #expect(table[0].call == .indirect && table[198].call == .indirect)
    #expect(table[2].call == .fork && table[66].call == .vfork)
  }

  @Test func callsThatOnlyReleaseNeedNoMemory() {
    let table = SystemCallTable()
    for number in [1, 6, 73, 483, 509, 575] { #expect(table[number].allocation == .none, "\(number)") }
  }

  /// Issue 14, item 16: what FreeBSD has never raises SIGSYS here. Slots that FreeBSD's own table leaves empty still do.
  @Test func everyOtherCallOfFreeBSDIsMissingAndEveryEmptySlotUnknown() {
    let table = SystemCallTable()
    #expect(SystemCallTable.count == 590)
    // creat of 4.3BSD, execv, reserved, a slot for modules, and the last slot that is free.
    let empty = [8, 11, 91, 119, 139, 210, 219, 245, 249, 273, 281, 296, 313, 370, 399, 420, 440, 470, 514, 521, 549]
    for number in empty { #expect(table[number].call == .unknown, "\(number)") }
    // link, readlink, getlogin, pread of FreeBSD 6, sched_getparam, __getcwd, nnpfs, mq_open, sctp, fexecve, sigfastblock,
    // sched_getcpu, timerfd, the end.
    let missing = [9, 58, 49, 173, 328, 326, 339, 457, 471, 492, 573, 581, 585, 587]
    for number in missing { #expect(table[number].call == .missing, "\(number)") }
    #expect((0..<SystemCallTable.count).filter { table[$0].call == .unknown }.count == 142)
  }
}

@Suite struct SystemControlTests {
  @Test func everyNodeIsFoundByNameAndByNumber() {
    for node in SystemControlNode.allCases {
      #expect(SystemControlNode(name: Array(node.name.utf8).span) == node)
      let (first, second) = node.identifier
      #expect(SystemControlNode(first, second) == node)
    }
    #expect(SystemControlNode(name: Array("kern".utf8).span) == nil)
    #expect(SystemControlNode(name: Array("kern.ostypes".utf8).span) == nil)
    #expect(SystemControlNode(9, 9) == nil)
  }
}

@Suite struct ExceptionTests {
  private func codes(_ vector: UInt8, _ status: UInt32 = 0) -> (Signal, SignalCode) {
    let exception = ProcessorException(vector: vector, errorCode: 0, address: 0, floatingPointStatus: status)
    return (exception.signal, exception.signalCode)
  }

  @Test func exceptionsHaveTheSignalsAndCodesOfTheTable() {
    #expect(codes(0) == (.sigfpe, .floatIntegerDivide))
    #expect(codes(1) == (.sigtrap, .trapTrace))
    #expect(codes(3) == (.sigtrap, .trapBreakpoint))
    #expect(codes(4) == (.sigfpe, .floatIntegerOverflow))
    #expect(codes(5) == (.sigfpe, .floatSubscript))
    #expect(codes(6) == (.sigill, .illegalPrivilegedOpcode))
    #expect(codes(10) == (.sigbus, .busObject))
    #expect(codes(11) == (.sigbus, .busAddress))
    #expect(codes(12) == (.sigbus, .busAddress))
    #expect(codes(13) == (.sigbus, .busObject))
    #expect(codes(17) == (.sigbus, .busAlignment))
    #expect(codes(16, 1) == (.sigfpe, .floatInvalid))
    #expect(codes(16, 4) == (.sigfpe, .floatDivide))
    #expect(codes(19, 8) == (.sigfpe, .floatOverflow))
    #expect(codes(19, 16) == (.sigfpe, .floatUnderflow))
    #expect(codes(19, 32) == (.sigfpe, .floatInexact))
  }

  @Test func consoleLinesPrintNumbers() {
    var line = ConsoleLine()
    line.append("n=")
    line.append(UInt64(0))
    line.append(" ")
    line.append(UInt64.max)
    var text: [UInt8] = []
    for offset in line.bytes.byteOffsets {
      text.append(unsafe line.bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    #expect(String(decoding: text, as: UTF8.self) == "n=0 18446744073709551615")
  }
}
