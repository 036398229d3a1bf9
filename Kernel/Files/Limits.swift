// Every limit of this module by name.

/// The limits of descriptors, open files and shared memory.
public enum FileLimits {
  /// Descriptors in one leaf of a descriptor table, and the fan-out of its tree: the bits of a word.
  static let leafDescriptorCount = 64
  /// Descriptors that a table can hold whatever the limits say: three levels of 64.
  public static let descriptorCount = 64 * 64 * 64
  /// `kern.maxfiles` is this many pages of memory for each file …
  static let pagesPerOpenFile = 8
  /// … but not less than this …
  static let minimumOpenFileCount = 2088
  /// … unless there would be fewer pages than this for each file (spec fd.md, section 3).
  static let minimumPagesPerOpenFile = 4
  /// No machine is too small for this many.
  static let leastOpenFileCount = 64
  /// One part in twenty of `kern.maxfiles` is kept for the superuser (spec fd.md, section 3).
  static let privilegedFileShare = 20
  /// Names of shared memory that all users together may have for each page of memory; one user may have half of them. A short
  /// name with its object takes less than a tenth of a page.
  static let namesPerPage = 2
  /// Pages that a transfer moves before it lets others run.
  static let pagesPerTransferStep = 64
  /// Bytes of a read after which it lets those have their turn who wait to change what it reads.
  static let longestReadHoldByteCount: UInt64 = 1 << 30
  /// A read of which more than this is left ends with its process when that is killed.
  static let longestFinishedReadByteCount: UInt64 = 1 << 30
  /// How often a read that has slept may find others in its way before it keeps its range while it sleeps.
  static let mostMissedTurns: UInt8 = 3
  /// Pages that shrinking an object removes before it lets others run.
  static let pagesPerResizeStep = 320
  /// Descriptors that are closed before others have a turn.
  public static let descriptorsPerStep = 256
  /// Leaves of a descriptor table that are gone through before others have a turn.
  static let leavesPerStep = 512
  /// Bytes of console input that wait for a reader; more stay in the device.
  static let consoleInputByteCount = 4096
  /// Bytes that programs may have written to the console before the device takes them; then writers wait.
  public static let consoleOutputByteCount = 65_536
  /// DLE: what stands before the two bytes of framed input that mean something else than themselves.
  static let consoleEscape: UInt8 = 0x10
  /// EOT: behind a DLE, the end of framed input.
  static let consoleEndOfInput: UInt8 = 0x04
  /// Bytes that the kernel's own lines may take up beyond that: they cannot wait.
  static let consoleReserveByteCount = 16_384
  /// What an interrupt, or a step of a write, hands to the console at most, in units of `ConsoleOutput.cost`: an event is never
  /// more than two of them.
  static let consoleUnitsPerStep = 448
  /// Bytes that a write to the console hands over at a time.
  static let consolePieceByteCount = 256
  /// Bytes of random numbers that a transfer moves at a time …
  static let randomPieceByteCount: UInt64 = 512
  /// … and how often before it lets others run.
  static let randomPiecesPerStep = 32
  /// st_dev of all shared memory objects.
  static let sharedMemoryDevice: UInt64 = 0x1001
  /// st_dev of /dev.
  static let deviceDirectoryDevice: UInt64 = 0x1002
  /// st_dev of /bin.
  static let programDirectoryDevice: UInt64 = 0x1003
  /// st_dev of all pipes.
  static let pipeDevice: UInt64 = 0x1004
  /// st_dev of the directories in which sockets have names, and of those names.
  static let nameDevice: UInt64 = 0x1005
  /// Supplementary groups that credentials hold without a frame of their own.
  static let inlineGroupCount = 16
}

/// The limits of pipes (spec sockets.md, section 2).
enum PipeLimits {
  /// PIPE_BUF: so many bytes are written as a whole or not at all.
  static let atomicByteCount = 512
  /// The buffer of a pipe when there is hardly any space, and of the way that is rarely used …
  static let smallestByteCount = 4096
  /// … usually …
  static let usualByteCount = 16_384
  /// … and as large as it gets.
  static let largestByteCount = 65_536
  /// Writes that wait for room are woken when a read leaves fewer bytes than this.
  static let wakeByteCount = usualByteCount / 3
  /// Buffers of all pipes take one page of address space for so many of memory …
  static let pagesPerSpacePage = 64
  /// … but may take this much on any machine.
  static let leastSpaceByteCount = 512 << 10
  /// Writes in line that are looked at for one that fits into the room there is.
  static let waitersPerSearch = 16
}
