// What libFuzzer calls (`make fuzz`): one input for one of the parsers of what comes from outside. MARTLET_FUZZ names it: elf
// (the loader of programs), multiboot (the boot loader's tables, in both formats) or options (the kernel's command line).
//
// The inputs to start from are made here, before libFuzzer reads its corpus.

import Foundation
import Handover
import Simulation

private enum Kind: String {
  case elf, multiboot, options

  static let chosen = Kind(rawValue: ProcessInfo.processInfo.environment["MARTLET_FUZZ"] ?? "")
}

nonisolated(unsafe) private let executables = ExecutableCheck()

/// Writes the corpus to begin with into the directory that MARTLET_FUZZ_CORPUS names.
@c(LLVMFuzzerInitialize)
public func initializeFuzzer(
  _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  guard let kind = Kind.chosen else { fatalError("MARTLET_FUZZ is to be elf, multiboot or options") }
  guard let path = ProcessInfo.processInfo.environment["MARTLET_FUZZ_CORPUS"] else { return 0 }
  for (index, bytes) in seeds(kind).enumerated() {
    try? Data(bytes).write(to: URL(fileURLWithPath: path).appendingPathComponent("seed-\(index)"))
  }
  return 0
}

private func seeds(_ kind: Kind) -> [[UInt8]] {
  switch kind {
  case .elf: [Program.image, Array(Program.image.prefix(5000)), Program.notes]
  case .multiboot:
    [
      LoaderDescription(commandLine: "k swap=1M", modules: [("/a/first 1 2", 9000), ("second", 0)]),
      LoaderDescription(commandLine: "", modules: (0..<5).map { ("m\($0)", 4096) }),
    ].flatMap { [[1] + $0.multiboot1().bytes, [2] + $0.multiboot2().bytes] }
  case .options:
    ["k init=/bin/a swap=3M quiet", "selftest=x inspect=7 \"fail=a:1%return(b c)\"", "seed=1 signosys=0 panic-test"]
      .map { Array($0.utf8) }
  }
}

/// Tries one input; ends the process when something is wrong.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  // SAFETY: libFuzzer passes `count` readable bytes.
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  if let problem = problem(with: bytes) { fatalError(problem) }
  return 0
}

private func problem(with bytes: [UInt8]) -> String? {
  switch Kind.chosen {
  case .elf: return unsafe executables.problem(with: bytes)
  case .multiboot:
    guard let first = bytes.first else { return nil }
    let magic = first & 1 == 1 ? BootInformation.multiboot1 : BootInformation.multiboot2
    return LoaderCheck.problem(with: LoaderImage(bytes: Array(bytes.dropFirst()), magic: magic))
  default: return OptionsCheck.problem(with: bytes)
  }
}
