// ELF64 executables as execve(2) accepts them (spec abi.md, section 13): the file header and the program headers.
//
// Decoding checks nothing but the length of its input; `ExecutableHeader.isSupported` and the program loader judge.

/// The file header: `Elf64_Ehdr`.
public struct ExecutableHeader: Equatable, BitwiseCopyable, Sendable {
  /// e_ident[0…3], little endian: 0x464c457f for "\u{7f}ELF".
  public var magic: UInt32
  /// EI_CLASS: 2 for 64 bits.
  public var fileClass: UInt8
  /// EI_DATA: 1 for little endian.
  public var dataEncoding: UInt8
  /// EI_VERSION
  public var identificationVersion: UInt8
  /// EI_OSABI: 9 for FreeBSD, 0 for none given.
  public var osABI: UInt8
  /// e_type
  public var type: UInt16
  /// e_machine
  public var machine: UInt16
  /// e_version
  public var version: UInt32
  /// e_entry: where the program starts.
  public var entry: UInt64
  /// e_phoff: the file offset of the program headers.
  public var programHeaderOffset: UInt64
  /// e_flags
  public var flags: UInt32
  /// e_phentsize: the size of one program header in bytes.
  public var programHeaderByteCount: UInt16
  /// e_phnum
  public var programHeaderCount: UInt16
}

extension ExecutableHeader {
  /// The size of the structure.
  public static let byteCount = 64

  /// The value of `magic` in every ELF file.
  public static let elfMagic: UInt32 = 0x464c_457f
  /// ELFCLASS64
  public static let class64: UInt8 = 2
  /// ELFDATA2LSB
  public static let littleEndian: UInt8 = 1
  /// ELFOSABI_NONE
  public static let osABINone: UInt8 = 0
  /// ELFOSABI_FREEBSD
  public static let osABIFreeBSD: UInt8 = 9
  /// ET_EXEC
  public static let typeExecutable: UInt16 = 2
  /// ET_DYN: a position-independent executable when it has no interpreter.
  public static let typeShared: UInt16 = 3
  /// EM_X86_64
  public static let machineAMD64: UInt16 = 62

  /// Reads the structure from the start of `bytes`, which must hold `byteCount` bytes.
  public init(decoding bytes: Span<UInt8>) {
    magic = bytes.loadUInt32(at: 0)
    fileClass = bytes[4]
    dataEncoding = bytes[5]
    identificationVersion = bytes[6]
    osABI = bytes[7]
    type = bytes.loadUInt16(at: 16)
    machine = bytes.loadUInt16(at: 18)
    version = bytes.loadUInt32(at: 20)
    entry = bytes.loadUInt64(at: 24)
    programHeaderOffset = bytes.loadUInt64(at: 32)
    flags = bytes.loadUInt32(at: 48)
    programHeaderByteCount = bytes.loadUInt16(at: 54)
    programHeaderCount = bytes.loadUInt16(at: 56)
  }

  /// Whether this is a kind of file that can be run here at all; otherwise execve(2) answers ENOEXEC.
  public var isSupported: Bool {
    magic == ExecutableHeader.elfMagic && fileClass == ExecutableHeader.class64
      && dataEncoding == ExecutableHeader.littleEndian && identificationVersion == 1 && version == 1
      && (osABI == ExecutableHeader.osABINone || osABI == ExecutableHeader.osABIFreeBSD)
      && (type == ExecutableHeader.typeExecutable || type == ExecutableHeader.typeShared)
      && machine == ExecutableHeader.machineAMD64 && Int(programHeaderByteCount) == ProgramHeader.byteCount
      && programHeaderCount > 0
  }
}

/// One program header: `Elf64_Phdr`.
public struct ProgramHeader: Equatable, BitwiseCopyable, Sendable {
  /// p_type
  public var type: UInt32
  /// p_flags: 1 execute, 2 write, 4 read (not the order of `Protection`; see `protection`).
  public var flags: UInt32
  /// p_offset: where the bytes start in the file.
  public var fileOffset: UInt64
  /// p_vaddr: where they go.
  public var virtualAddress: UInt64
  /// p_filesz: how many bytes come from the file.
  public var fileByteCount: UInt64
  /// p_memsz: how many bytes there are in memory; the rest is zero.
  public var memoryByteCount: UInt64
  /// p_align
  public var alignment: UInt64
}

extension ProgramHeader {
  /// The size of the structure.
  public static let byteCount = 56

  /// PT_LOAD
  public static let typeLoad: UInt32 = 1
  /// PT_DYNAMIC
  public static let typeDynamic: UInt32 = 2
  /// PT_INTERP
  public static let typeInterpreter: UInt32 = 3
  /// PT_NOTE
  public static let typeNote: UInt32 = 4
  /// PT_PHDR
  public static let typeProgramHeaders: UInt32 = 6
  /// PT_GNU_STACK: its flags say whether the stack may be executable.
  public static let typeStack: UInt32 = 0x6474_e551

  /// Reads the structure from the start of `bytes`, which must hold `byteCount` bytes.
  public init(decoding bytes: Span<UInt8>) {
    type = bytes.loadUInt32(at: 0)
    flags = bytes.loadUInt32(at: 4)
    fileOffset = bytes.loadUInt64(at: 8)
    virtualAddress = bytes.loadUInt64(at: 16)
    fileByteCount = bytes.loadUInt64(at: 32)
    memoryByteCount = bytes.loadUInt64(at: 40)
    alignment = bytes.loadUInt64(at: 48)
  }

  /// The protection that the segment asks for.
  public var protection: Protection {
    var result: Protection = []
    if flags & 4 != 0 { result.insert(.read) }
    if flags & 2 != 0 { result.insert(.write) }
    if flags & 1 != 0 { result.insert(.execute) }
    return result
  }
}
