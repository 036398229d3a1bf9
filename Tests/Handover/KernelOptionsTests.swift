// The kernel's command line: every option with its values, and that nothing wrong is passed over.

import Handover
import Simulation
import Testing

@Suite struct KernelOptionsTests {
  private func options(_ text: String, beginsWithFile: Bool = false) -> KernelOptions {
    KernelOptions(Array(text.utf8), beginsWithFile: beginsWithFile)
  }

  @Test func `every option is read`() {
    let all = options(
      "init=/bin/a swap=3M selftest=clock: quiet signosys=0 inspect=7 \"fail=page_frame:1%return(a b)\" fail=frame:off "
        + "seed=18446744073709551615 turn=20 inspect-test=charge panic-test=trap")
    #expect(all.refusal == nil)
    #expect(all.initPath == Array("/bin/a".utf8) && all.swapDevices.map(\.byteCount) == [3 << 20])
    #expect(all.selfTestPattern == Array("clock:".utf8) && all.isQuiet && !all.unknownCallsRaiseSignal)
    #expect(all.inspectionInterval == 7 && all.seed == .max && all.turnMicroseconds == 20)
    #expect(all.failurePoints == [Array("page_frame:1%return(a b)".utf8), Array("frame:off".utf8)])
    #expect(all.inspectionTest == Array("charge".utf8) && all.panicTest == Array("trap".utf8))
    let bare = options("  selftest  inspect panic-test signosys=1 swap=0 ")
    #expect(bare.refusal == nil && bare.selfTestPattern == [] && bare.inspectionInterval == 0 && bare.panicTest == [])
    let traced = options("trace input=framed")
    #expect(traced.refusal == nil && traced.isTraced && !traced.tracesFaults && traced.inputIsFramed)
    #expect(options("\"env=A=b c\" env=D=").environment == [Array("A=b c".utf8), Array("D=".utf8)])
    #expect(options("trace=faults").tracesFaults && !bare.isTraced && !bare.inputIsFramed)
    #expect(options("").refusal == nil && options("   ").refusal == nil)
  }

  @Test(arguments: ["4096", "4k", "12K", "1m", "7G", "17179869183G"])
  func `sizes have their units`(text: String) {
    let factors: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    let number = UInt64(text.filter(\.isNumber)) ?? 0
    let byteCount = number * (factors[text.lowercased().last ?? "0"] ?? 1)
    for (kind, isCompressed) in [("", false), ("compressed:", true)] {
      let found = options("swap=\(kind)\(text)")
      #expect(found.refusal == nil && found.swapDevices.map(\.byteCount) == [byteCount])
      #expect(found.swapDevices.map(\.isCompressed) == [isCompressed])
    }
  }

  @Test
  func `swap devices keep their order, and there is one store of compressed pages at most`() {
    let several = options("swap=8K swap=compressed:1M swap=0 swap=12K")
    #expect(several.refusal == nil && several.swapDevices.map(\.byteCount) == [8192, 1 << 20, 12288])
    #expect(several.swapDevices.map(\.isCompressed) == [false, true, false])
    #expect(
      options("swap=compressed:1M swap=compressed:2M").refusal == .wrongValue(Array("swap=compressed:2M".utf8)))
    #expect(options(String(repeating: "swap=8K ", count: 8)).refusal == nil)
    #expect(options(String(repeating: "swap=8K ", count: 9)).refusal == .wrongValue(Array("swap=8K".utf8)))
  }

  @Test(
    arguments: [
      "swap=compressed:", "swap=compressed", "swap=compressed:3", "swap=compressed:x", "swap=plain:1M", "swap=:1M",
      "swap", "swap=", "swap=-1", "swap=3", "swap=x", "swap=1T", "swap=M", "swap=1MM", "swap=0x10",
      "swap=17179869184G", "swap=18446744073709551616", "swap=+5", "signosys", "signosys=", "signosys=2", "signosys=00",
      "signosys=yes", "inspect=", "inspect=x", "inspect=-1", "inspect=1k", "seed", "seed=", "seed=abc", "seed=1.5",
      "quiet=1", "quiet=", "init", "init=", "fail", "fail=", "inspect-test", "inspect-test=", "trace=",
      "trace=calls", "input", "input=raw", "env", "env=",
      "turn", "turn=", "turn=19", "turn=10001",
    ])
  func `a wrong value is refused`(word: String) {
    #expect(options(word).refusal == .wrongValue(Array(word.utf8)))
    #expect(options("quiet \(word) seed=3").refusal == .wrongValue(Array(word.utf8)))
  }

  @Test(arguments: ["swp=3", "=", "=3", "swap:3M", "Quiet", "quiet,", "selftests", "inspect-tests=a", "swap =3M", "-v"])
  func `an unknown option is refused`(text: String) {
    let word = Array(text.split(separator: " ").last.map(String.init)!.utf8)
    let expected: BootRefusal = text == "swap =3M" ? .wrongValue(Array("swap".utf8)) : .unknownOption(word)
    #expect(options(text).refusal == expected)
    #expect(options("kernel \(text)", beginsWithFile: true).refusal == expected)
    // The rest counts all the same: whether the kernel may speak of it.
    #expect(options("\(text) quiet").isQuiet)
  }

  @Test func `only the kernel's file in front is passed over`() {
    for (line, isEmulator) in [
      ("martlet.elf quiet", true), ("quiet quiet", true), ("a=b quiet", true), ("/boot/martlet quiet", false),
      ("/my files/a/the kernel/x.elf quiet", true), ("/my files/x.elf quiet", false), ("quiet", false),
      ("/a file.elf quiet", true),
    ] {
      #expect(options(line, beginsWithFile: isEmulator).refusal == nil, "\(line)")
      #expect(options(line, beginsWithFile: isEmulator).isQuiet, "\(line)")
    }
    #expect(!options("quiet", beginsWithFile: true).isQuiet)
    #expect(options("martlet.elf", beginsWithFile: false).refusal == .unknownOption(Array("martlet.elf".utf8)))
    #expect(options("k init/bin/a", beginsWithFile: true).refusal == .unknownOption(Array("init/bin/a".utf8)))
    #expect(options("k quiet x.elf", beginsWithFile: true).refusal == .unknownOption(Array("x.elf".utf8)))
    #expect(options("quiet /boot/x", beginsWithFile: false).refusal == .unknownOption(Array("/boot/x".utf8)))
  }

  @Test func `quotation marks come in pairs`() {
    #expect(options("init=\"/bin/a b\" quiet").initPath == Array("/bin/a b".utf8))
    #expect(options("quiet init=\"/bin/a b").refusal == .openQuotation)
    #expect(options("\"\"").refusal == nil)
  }

  @Test func `no bytes make it fail`() {
    var random = SeededGenerator(seed: 5)
    let pieces = ["swap=", "init=", "=", "\"", " ", "9", "G", "quiet", "fail=", "/", "\u{0}", "é", "inspect", "-"]
    for _ in 0..<2000 {
      let line = (0..<random.number(below: 12)).map { _ in random.pick(pieces) ?? "" }.joined()
      _ = options(line, beginsWithFile: random.chance(oneIn: 2)).refusal?.reason
    }
  }
}
