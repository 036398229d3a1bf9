// What the machine (or the simulation) hands to the kernel at boot.

import Files
public import Memory
public import Primitives
public import Processes

/// A file that the boot loader placed in memory; it appears read-only as /bin/NAME.
public struct BootModule {
  /// The module's string as the boot loader gave it: words separated by spaces. NAME is the last path component of the first
  /// word, the words after it are the arguments when the module becomes process 1.
  public let commandLine: [UInt8]
  /// Where the content starts in physical memory; page aligned, reserved before the allocator started.
  public let start: PhysicalAddress
  /// The length of the content in bytes.
  public let byteCount: UInt64

  /// Describes a module.
  public init(commandLine: [UInt8], start: PhysicalAddress, byteCount: UInt64) {
    self.commandLine = commandLine
    self.start = start
    self.byteCount = byteCount
  }
}

/// Everything the kernel needs to know before its first event.
public struct KernelConfiguration {
  /// Frames, objects, swap, and through it the processor and the heap.
  public let memory: MemorySystem
  /// The floating point registers of the processor.
  public let floatingPoint: any FloatingPointUnit
  /// The files of /bin.
  public var modules: [BootModule]
  /// `kern.signosys`: an unknown system call number posts SIGSYS (kernel option `signosys=`).
  public var unknownCallsRaiseSignal = true
  /// No kernel line on the console (kernel option `quiet`).
  public var isQuiet = false
  /// What the machine knows of this start, times above all: mixed into the random numbers.
  public var seedMaterial: [UInt64] = []
  /// How many processes there may be, process 1 included; nil: by the size of memory.
  public var maximumProcessCount: Int?

  /// How many map entries, translations, pages and descriptors a call handles before others have a turn.
  public var unitsPerTurn = ProcessLimits.unitsPerTurn

  /// The environment of process 1, NAME=VALUE each (kernel option `env=`).
  public var environment: [[UInt8]] = []
  /// Whether the console's input says where it ends (kernel option `input=framed`).
  public var inputIsFramed = false

  /// Bytes that programs may have written to the console before its device takes them.
  public var consoleOutputByteCount = FileLimits.consoleOutputByteCount

  /// Nanoseconds that a thread has the processor for in each round of turns; 0: it goes to the end of the queue whenever
  /// somebody looks.
  public var turnNanoseconds = ProcessLimits.turnNanoseconds

  /// Whole frames of the machine's memory, reserved ones included (`hw.physmem`); nil: those that the allocator manages.
  public var physicalFrameCount: Int?

  /// A configuration with the defaults of FreeBSD.
  public init(memory: MemorySystem, floatingPoint: any FloatingPointUnit, modules: [BootModule]) {
    self.memory = memory
    self.floatingPoint = floatingPoint
    self.modules = modules
  }
}
