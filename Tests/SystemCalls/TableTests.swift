// The table of calls, the nodes of sysctl(3), and what exceptions become.

import ABI
import Memory
import Primitives
import Testing

@testable import SystemCalls

@Suite struct SystemCallTableTests {
  @Test func `calls are found under FreeBSD's numbers`() {
    let table = SystemCallTable()
    func name(_ number: Int) -> String { table[number].declaration.borrow { $0.name } }
    #expect(name(20) == "getpid" && name(571) == "shm_open2" && name(2) == "fork" && name(66) == "vfork")
    #expect(name(0) == "syscall" && name(198) == "syscall")
    #expect(table[571].preparation == [.admission, .reserve, .copyIn])
    #expect(table[20].preparation == [] && table[0].preparation == .indirect)
    guard case .refuses(.enfile, _) = table[571].declaration.borrow({ $0.demand }) else {
      Issue.record("shm_open2 does not refuse with ENFILE")
      return
    }
    guard case .refuses(.enomem, _) = table[477].declaration.borrow({ $0.demand }) else {
      Issue.record("mmap does not refuse with ENOMEM")
      return
    }
  }

  @Test func `every declaration has a name and a number of its own`() {
    let declarations = SystemCallTable().declarations.dropFirst(3)
    #expect(Set(declarations.map(\.name)).count == declarations.count)
    #expect(Set(declarations.map { $0.number.rawValue }).count == declarations.count)
    #expect(declarations.allSatisfy { $0.arguments.count <= 6 })
  }

  @Test func `calls that only release need no memory`() {
    let table = SystemCallTable()
    for number in [1, 6, 73, 483, 509, 575] { #expect(!table[number].preparation.contains(.admission), "\(number)") }
  }

  /// Issue 14, item 16: what FreeBSD has never raises SIGSYS here. Slots that FreeBSD's own table leaves empty still do.
  @Test func `every other call of FreeBSD is missing and every empty slot unknown`() {
    let table = SystemCallTable()
    #expect(SystemCallTable.count == 590)
    // creat of 4.3BSD, execv, reserved, a slot for modules, and the last slot that is free.
    let empty = [8, 11, 91, 119, 139, 210, 219, 245, 249, 273, 281, 296, 313, 370, 399, 420, 440, 470, 514, 521, 549]
    for number in empty { #expect(table.isUnknown(number), "\(number)") }
    // link, readlink, getlogin, pread of FreeBSD 6, sched_getparam, __getcwd, nnpfs, mq_open, sctp, fexecve,
    // sched_getcpu, timerfd, the end.
    let missing = [9, 58, 49, 173, 335, 326, 339, 457, 471, 492, 581, 585, 587]
    for number in missing { #expect(!table.exists(number) && !table.isUnknown(number), "\(number)") }
    #expect((0..<SystemCallTable.count).filter { table.isUnknown($0) }.count == 142)
  }
}

@Suite struct SystemControlTableTests {
  @Test func `every node is found by name and by number`() {
    let table = SystemControlTable()
    for node in table.nodes {
      #expect(table.node(Array(node.name.utf8).span) === node)
      #expect(node.isTop ? table.node(node.first, node.second) == nil : table.node(node.first, node.second) === node)
    }
    #expect(table.nodes.count > 30)
    #expect(table.node(Array("ker".utf8).span) == nil)
    #expect(table.node(Array("kern.ostypes".utf8).span) == nil)
    #expect(table.node(9, 9) == nil)
  }

  @Test func `every node is below a node that has no value`() {
    let table = SystemControlTable()
    for node in table.nodes {
      var parts = node.name.split(separator: ".")
      while parts.count > 1 {
        parts.removeLast()
        let outer = parts.joined(separator: ".")
        guard let found = table.node(Array(outer.utf8).span), case .inner = found.content else {
          Issue.record("\(outer) of \(node.name)")
          break
        }
      }
    }
  }
}

@Suite struct ExceptionTests {
  private func codes(_ vector: UInt8, _ status: UInt32 = 0) -> (Signal, SignalCode) {
    let exception = ProcessorException(vector: vector, errorCode: 0, address: 0, floatingPointStatus: status)
    return (exception.signal, exception.signalCode)
  }

  @Test func `exceptions have the signals and codes of the table`() {
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

  @Test func `console lines print numbers`() {
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
