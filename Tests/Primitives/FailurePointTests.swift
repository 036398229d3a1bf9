// Fail points: the grammar of fail(9), and what settings do.
import ABI
import Simulation
import Testing

@testable import Primitives

@Suite struct FailurePointTests {
  private func setting(_ text: String) throws(Errno) -> FailureSetting {
    try FailureSetting(parsing: Array(text.utf8).span)
  }

  private func text(_ setting: FailureSetting) -> String {
    var line = ConsoleLine()
    setting.write(to: &line)
    return String(decoding: (0..<line.span.count).map { line.span[$0] }, as: UTF8.self)
  }

  @Test(arguments: [
    ("off", "off"), ("return", "return"), ("return(5)", "return(5)"), ("print", "print"), ("panic", "panic"),
    ("2.1%return(5)", "2.1%return(5)"), ("2%return(5)->5%return(22)", "2%return(5)->5%return(22)"),
    ("5*return(5)->0.1%return(22)", "5*return(5)->0.1%return(22)"), ("0.1%5*return(5)", "0.1%5*return(5)"),
    (".5%return", "0.5%return"), ("1.2%2%return", "2%return"), ("3*4*return", "4*return"), ("100%return", "return"),
    ("250%return", "return"), ("0.00004%return", "off"), ("0.00005%return", "0.0001%return"), ("0%return", "off"),
    ("3*off->1*return", "3*off->1*return"), ("off->return", "off"), ("return(-7)", "return(-7)"),
    ("return(0x10)", "return(16)"), ("return(010)", "return(8)"), ("print(1)->return", "print(1)->return"),
    ("return(0)[pid 7]", "return[pid 7]"),
    ("2*off(0)[pid 1]->5%return(3)[pid 0x10]", "2*off[pid 1]->5%return(3)[pid 16]"),
    ("off(0)[pid 1]->return", "off"),
  ])
  func `a setting reads as fail(9) says and is given back`(given: String, expected: String) throws {
    #expect(text(try setting(given)) == expected)
  }

  @Test(arguments: [
    "", "of", "offf", "return(", "return()", "return(5", "return(x)", "return 5", "5return", "5*", "5%", "0*return",
    "1.5*return", "-1*return", ".%return", "1.%return", "return->", "->return", "return-", "return->x", "sleep(5)",
    "RETURN",
    "99999999999*return", "return(2147483648)", "return->return->return->return->return", "return[pid 1]", " return",
    "return(0)[pid -1]", "return(0)[pid 1", "return(0)[pid]", "return(0)[pid x]", "return(0) [pid 1]",
    "return(0)[pid 1](2)",
  ])
  func `wrong syntax is EINVAL`(given: String) {
    #expect(throws: Errno.einval) { try setting(given) }
  }

  private func outcomes(_ given: String, _ count: Int) throws -> [Bool] {
    let machine = TestMachine()
    machine.services.failures[.openFile] = try setting(given)
    return (0..<count).map { _ in machine.services.isToFail(.openFile) }
  }

  @Test func `terms execute as often and in the order that they say`() throws {
    #expect(try outcomes("return", 3) == [true, true, true])
    #expect(try outcomes("off", 2) == [false, false])
    #expect(try outcomes("2*off->1*return", 4) == [false, false, true, false])
    #expect(try outcomes("2*return->off", 3) == [true, true, false])
    #expect(try outcomes("1*return->1*off->1*return", 4) == [true, false, true, false])
    #expect(try outcomes("print->return", 2) == [false, false])
    #expect(try outcomes("print(1)->return", 2) == [true, true])
  }

  @Test func `a term for a process executes for that one only, and counts for that one only`() throws {
    final class One: Caller {
      var number: Int32 = 0
      override var processIdentifier: Int32 { number }
    }
    let machine = TestMachine()
    machine.services.failures[.openFile] = try setting("2*off(0)[pid 1]->3*return(0)[pid 0]->1*return(0)[pid 5]")
    let nobody = Caller()
    machine.services.caller = BackReference(nobody)
    #expect(machine.services.isToFail(.openFile))
    withExtendedLifetime(nobody) {}
    let caller = One()
    machine.services.caller = BackReference(caller)
    #expect(machine.services.isToFail(.openFile))
    let outcomes = ([1, 5, 5, 0, 1, 1, 0] as [Int32]).map { number in
      caller.number = number
      return machine.services.isToFail(.openFile)
    }
    #expect(outcomes == [false, true, false, true, false, false, false])
    withExtendedLifetime(caller) {}
  }

  @Test func `a percentage is kept to, and repeats with its seed`() throws {
    let first = try outcomes("25%return", 4000)
    #expect((900...1100).contains(first.count { $0 }))
    #expect(first == (try outcomes("25%return", 4000)))
    let limited = try outcomes("25%7*return", 4000)
    #expect(limited.count { $0 } == 7)
    let either = try outcomes("50%return->50%return", 4000)
    #expect((2900...3100).contains(either.count { $0 }))
  }

  @Test func `a percentage is drawn from the seed`() throws {
    func outcomes(seed: UInt64) throws -> [Bool] {
      let machine = TestMachine()
      machine.services.failures.seed(seed)
      machine.services.failures[.openFile] = try setting("50%return")
      return (0..<200).map { _ in machine.services.isToFail(.openFile) }
    }
    #expect(try outcomes(seed: 1) == outcomes(seed: 1))
    #expect(try outcomes(seed: 1) != outcomes(seed: 2))
  }

  @Test func `nothing is armed once every term is used up`() throws {
    let services = TestMachine().services
    #expect(!services.failures.isArmed)
    services.failures[.openFile] = try setting("2*return")
    #expect(
      services.isToFail(.openFile) && services.failures.isArmed && text(services.failures[.openFile]) == "1*return")
    #expect(services.isToFail(.openFile) && !services.failures.isArmed && text(services.failures[.openFile]) == "off")
    #expect(!services.isToFail(.openFile))
  }

  @Test func `print says so on the console, unless the kernel is quiet`() throws {
    let machine = TestMachine()
    machine.services.failures[.mapEntry] = try setting("print")
    #expect(!machine.services.isToFail(.mapEntry))
    #expect(
      String(decoding: machine.processor.takeConsoleOutput(), as: UTF8.self)
        == "martlet: fail point map_entry executing\r\n")
    machine.services.isQuiet = true
    #expect(!machine.services.isToFail(.mapEntry))
    #expect(machine.processor.takeConsoleOutput() == [])
  }

  @Test func `panic ends the kernel`() async {
    await #expect(processExitsWith: .failure) {
      let machine = TestMachine()
      machine.services.failures[.mapEntry] = try FailureSetting(parsing: Array("panic".utf8).span)
      _ = machine.services.isToFail(.mapEntry)
    }
  }

  @Test func `every point has a name of its own, and the option names it`() throws {
    #expect(FailurePoint.allCases.count == FailurePoint.count)
    #expect(Set(FailurePoint.allCases.map(\.name)).count == FailurePoint.count)
    let machine = TestMachine()
    for point in FailurePoint.allCases {
      try machine.services.setFailurePoint(Array("\(point.name):3*return(2)".utf8).span)
      #expect(text(machine.services.failures[point]) == "3*return(2)")
    }
    #expect(throws: Errno.enoent) { try machine.services.setFailurePoint(Array("frames:return".utf8).span) }
    #expect(throws: Errno.einval) { try machine.services.setFailurePoint(Array("frame".utf8).span) }
    #expect(throws: Errno.einval) { try machine.services.setFailurePoint(Array("frame:retrun".utf8).span) }
    #expect(text(machine.services.failures[.frame]) == "3*return(2)")
  }
}
