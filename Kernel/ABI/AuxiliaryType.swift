// The types of the auxiliary vector, in the numbers of FreeBSD (spec abi.md, section 13).

/// The type of one auxiliary vector entry.
public struct AuxiliaryType: Equatable, BitwiseCopyable, Sendable {
  /// The first word of an `Elf64_Auxinfo`.
  public let rawValue: UInt64

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }
}

extension AuxiliaryType {
  /// AT_NULL
  public static let end = AuxiliaryType(rawValue: 0)
  /// AT_EXECFD
  public static let executableDescriptor = AuxiliaryType(rawValue: 2)
  /// AT_PHDR
  public static let programHeaders = AuxiliaryType(rawValue: 3)
  /// AT_PHENT
  public static let programHeaderByteCount = AuxiliaryType(rawValue: 4)
  /// AT_PHNUM
  public static let programHeaderCount = AuxiliaryType(rawValue: 5)
  /// AT_PAGESZ
  public static let pageByteCount = AuxiliaryType(rawValue: 6)
  /// AT_BASE
  public static let base = AuxiliaryType(rawValue: 7)
  /// AT_FLAGS
  public static let flags = AuxiliaryType(rawValue: 8)
  /// AT_ENTRY
  public static let entry = AuxiliaryType(rawValue: 9)
  /// AT_EXECPATH
  public static let executablePath = AuxiliaryType(rawValue: 15)
  /// AT_CANARY
  public static let canary = AuxiliaryType(rawValue: 16)
  /// AT_CANARYLEN
  public static let canaryByteCount = AuxiliaryType(rawValue: 17)
  /// AT_OSRELDATE
  public static let osReleaseDate = AuxiliaryType(rawValue: 18)
  /// AT_NCPUS
  public static let processorCount = AuxiliaryType(rawValue: 19)
  /// AT_PAGESIZES
  public static let pageSizes = AuxiliaryType(rawValue: 20)
  /// AT_PAGESIZESLEN
  public static let pageSizesByteCount = AuxiliaryType(rawValue: 21)
  /// AT_TIMEKEEP
  public static let timeKeep = AuxiliaryType(rawValue: 22)
  /// AT_STACKPROT
  public static let stackProtection = AuxiliaryType(rawValue: 23)
  /// AT_EHDRFLAGS
  public static let headerFlags = AuxiliaryType(rawValue: 24)
  /// AT_HWCAP
  public static let hardwareCapabilities = AuxiliaryType(rawValue: 25)
  /// AT_HWCAP2
  public static let hardwareCapabilities2 = AuxiliaryType(rawValue: 26)
  /// AT_BSDFLAGS
  public static let bsdFlags = AuxiliaryType(rawValue: 27)
  /// ELF_BSDF_SIGFASTBLK, a flag of AT_BSDFLAGS: as on every FreeBSD of today. A program that is then refused sigfastblock(2)
  /// blocks signals by words of its own that nobody reads, and has no handler that could run meanwhile.
  public static let fastSignalBlocking: UInt64 = 1
  /// ELF_BSDF_VMNOOVERCOMMIT, a flag of AT_BSDFLAGS: swap is reserved for all memory, or the memory refused.
  public static let overcommitDisabled: UInt64 = 2
  /// AT_ARGC
  public static let argumentCount = AuxiliaryType(rawValue: 28)
  /// AT_ARGV
  public static let arguments = AuxiliaryType(rawValue: 29)
  /// AT_ENVC
  public static let environmentCount = AuxiliaryType(rawValue: 30)
  /// AT_ENVV
  public static let environment = AuxiliaryType(rawValue: 31)
  /// AT_PS_STRINGS
  public static let processStrings = AuxiliaryType(rawValue: 32)
  /// AT_FXRNG
  public static let randomGenerator = AuxiliaryType(rawValue: 33)
  /// AT_KPRELOAD
  public static let kernelPreload = AuxiliaryType(rawValue: 34)
  /// AT_USRSTACKBASE
  public static let userStackBase = AuxiliaryType(rawValue: 35)
  /// AT_USRSTACKLIM
  public static let userStackLimit = AuxiliaryType(rawValue: 36)
}
