// The program that scripted processes run: one page of text that is never really executed, and a data segment that the
// driver uses for paths, structures and buffers.

import ABI

/// The program's layout and its executable file.
public enum Program {
  /// The first byte of the text, and the entry point. The "instruction" there is a system call.
  public static let text: UInt64 = 0x20_0000
  /// The first byte of the data segment.
  public static let data: UInt64 = 0x60_0000
  /// Pages of the data segment; only the first has content in the file.
  public static let dataPageCount: UInt64 = 8
  /// Where the driver puts a path.
  public static let path = data
  /// Where the driver puts structures that the kernel reads.
  public static let input = data + 0x800
  /// Where the driver has the kernel put structures.
  public static let output = data + 0xC00
  /// Buffers for reading and writing: the pages behind the first.
  public static let buffer = data + 4096
  /// The end of the data segment, where `break` begins.
  public static let dataEnd = data + dataPageCount * 4096
  /// Where words are that threads wait for.
  static let words = buffer + 5 * 4096
  /// Stacks of further threads, from 1 on, in what is there of the initial stack at first.
  static let threadStackByteCount: UInt64 = 12_288
  static let threadLimit = 3
  static func stack(_ slot: Int) -> UInt64 {
    UserSpace.stackTop - UserSpace.stackGrowthByteCount + UInt64(slot - 1) * 28_672
  }
  /// Their alternate stacks; that of the first thread is behind all others. There is room for the frames of as many handlers as
  /// scripts have at a time (`hasManySignals`).
  static let alternateStackByteCount: UInt64 = 12_288
  static func alternateStack(_ slot: Int) -> UInt64 {
    slot == 0 ? stack(threadLimit + 1) : stack(slot) + threadStackByteCount
  }
  /// Where pointers of calls point unless a script says otherwise.
  static func place(_ pointer: CallPointer) -> UInt64 {
    switch pointer {
    case .path: path
    case .input: input
    case .output: output
    case .second: output + 0x300
    case .third: output + 0x380
    }
  }
  /// Where fixed mappings of scripts go: 16 pages before a 2 MiB boundary, so that they span two page tables.
  public static let window: UInt64 = 0x10_001F_0000
  /// Pages in the window.
  public static let windowPageCount = 48

  /// The file: an ELF64 header, two program headers, a page of text and a page of data.
  public static let image: [UInt8] = makeImage()

  private static func makeImage() -> [UInt8] {
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 9] + [UInt8](repeating: 0, count: 8)
    func append(_ value: UInt64, _ byteCount: Int) {
      for index in 0..<byteCount { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
    // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, then sizes and counts.
    for (value, byteCount) in [(2, 2), (62, 2), (1, 4), (text, 8), (64, 8), (0, 8), (0, 4)] as [(UInt64, Int)] {
      append(value, byteCount)
    }
    for value in [64, 56, 2, 64, 0, 0] as [UInt64] { append(value, 2) }
    // Text: read and execute; data: read and write, zeros behind the first page.
    for (flags, offset, address, fileBytes, memoryBytes) in [
      (5, 4096, text, 4096, 4096), (6, 8192, data, 4096, dataPageCount * 4096),
    ] as [(UInt64, UInt64, UInt64, UInt64, UInt64)] {
      append(1, 4)
      append(flags, 4)
      append(offset, 8)
      append(address, 8)
      append(address, 8)
      append(fileBytes, 8)
      append(memoryBytes, 8)
      append(4096, 8)
    }
    file += [UInt8](repeating: 0, count: 4096 - file.count)
    file += (0..<2048).flatMap { _ in [0x0F, 0x05] as [UInt8] }
    file += dataPage
    return file
  }

  /// The initial content of the first data page.
  static var dataPage: ModelPage { (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 3) } }

  /// A file of /bin that is no program.
  public static let notes: [UInt8] = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 5) }

  /// The memory of a process as the loader leaves it, in the terms of the model; the stack is left out. Swap is reserved for
  /// what can be stored to. Without a file all of it is anonymous.
  static func initialMemory(of user: UInt32, showing file: ModelObject?) -> [UInt64: ModelView] {
    var memory: [UInt64: ModelView] = [:]
    var page = ModelView(protection: 5, maximum: 7, isShared: false)
    page.object = file
    page.objectPage = 1
    memory[text / 4096] = page
    for index in 0..<dataPageCount {
      var view = ModelView(protection: 3, maximum: 7, isShared: false)
      view.chargedUser = user
      if index == 0, let file {
        view.object = file
        view.objectPage = 2
      } else if index == 0 {
        view.copy = dataPage
      }
      memory[data / 4096 + index] = view
    }
    return memory
  }
}
