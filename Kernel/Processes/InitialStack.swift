// The top of a new program's stack, as spec abi.md section 13 lays it out.
//
// From the top down: ps_strings, the path of the executable, the canary, the page sizes, the strings; below those, 16-byte
// aligned, argc, the argument pointers, NULL, the environment pointers, NULL, the auxiliary vector.

import ABI
import Primitives

/// Where everything on the initial stack goes.
struct InitialStack {
  static let top = ABI.UserSpace.stackTop
  static let pageSizesByteCount: UInt64 = 24
  private static let auxiliaryLimit = 32

  let argumentCount: Int
  let environmentCount: Int
  /// Where the strings go, arguments first.
  let strings: UInt64
  let pageSizes: UInt64
  let canary: UInt64
  let executablePath: UInt64
  let processStrings: UInt64
  /// The word with argc; %rdi of the new program.
  let base: UInt64

  /// Lays out the stack.
  init(_ staging: ArgumentStaging, pathByteCount: Int) {
    argumentCount = staging.argumentCount
    environmentCount = staging.environmentCount
    processStrings = ABI.UserSpace.processStrings
    executablePath = (processStrings - UInt64(pathByteCount)) & ~7
    canary = executablePath - UInt64(InterfaceLimits.canaryByteCount)
    pageSizes = canary - InitialStack.pageSizesByteCount
    strings = (pageSizes - UInt64(staging.byteCount)) & ~7
    let words = UInt64(1 + argumentCount + 1 + environmentCount + 1 + 2 * InitialStack.auxiliaryLimit)
    base = (strings - 8 * words) & ~15
  }

  /// The bytes from `base` to the top.
  var byteCount: UInt64 { InitialStack.top - base }
  var argumentPointers: UInt64 { base + 8 }
  var environmentPointers: UInt64 { argumentPointers + 8 * UInt64(argumentCount + 1) }
  var auxiliaryVector: UInt64 { environmentPointers + 8 * UInt64(environmentCount + 1) }
  /// The stack pointer of the new program: as after a call.
  var stackPointer: UInt64 { ((base - 8) & ~15) + 8 }
}

/// The words of an auxiliary vector, in the order in which FreeBSD writes them.
struct AuxiliaryVector {
  /// The words.
  private(set) var words = [64 of UInt64](repeating: 0)
  private(set) var count = 0

  private mutating func append(_ type: AuxiliaryType, _ value: UInt64) {
    words[count] = type.rawValue
    words[count + 1] = value
    count += 2
  }

  init(_ layout: ProgramLayout, _ stack: InitialStack, stackLimit: UInt64, refusesOvercommit: Bool) {
    append(.programHeaders, layout.headersAddress)
    append(.programHeaderByteCount, UInt64(ProgramHeader.byteCount))
    append(.programHeaderCount, UInt64(layout.headerCount))
    append(.pageByteCount, Page.byteCount)
    append(.flags, 0)
    append(.entry, layout.entry)
    append(.base, 0)
    append(.headerFlags, UInt64(layout.flags))
    append(.executablePath, stack.executablePath)
    append(.osReleaseDate, UInt64(InterfaceLimits.osReleaseDate))
    append(.canary, stack.canary)
    append(.canaryByteCount, UInt64(InterfaceLimits.canaryByteCount))
    append(.processorCount, 1)
    append(.pageSizes, stack.pageSizes)
    append(.pageSizesByteCount, InitialStack.pageSizesByteCount)
    append(.stackProtection, UInt64(Protection([.read, .write]).rawValue))
    append(
      .bsdFlags, AuxiliaryType.fastSignalBlocking | (refusesOvercommit ? AuxiliaryType.overcommitDisabled : 0))
    append(.argumentCount, UInt64(stack.argumentCount))
    append(.arguments, stack.argumentPointers)
    append(.environmentCount, UInt64(stack.environmentCount))
    append(.environment, stack.environmentPointers)
    append(.processStrings, stack.processStrings)
    append(.userStackBase, InitialStack.top)
    append(.userStackLimit, stackLimit)
    append(.end, 0)
  }
}
