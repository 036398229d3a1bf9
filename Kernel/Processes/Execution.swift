// Executing a program (execve(2)), in bounded steps: the arguments are staged, the new address space is built and filled
// beside the old one, and only then takes its place; so every failure leaves the caller as it was.
//
// Invariants
// - `space` exists from the moment the file is known; it is retired by `deinit` unless `takeSpace` has handed it over.
// - A step copies at most one piece of a string, one page of a file, or 64 pointers.

public import ABI
public import Memory
public import Primitives

/// An execve(2) under way.
public final class Execution {
  enum Phase {
    case arguments
    case environment
    case file
    case segments
    case strings
    case pointers
    case remainder
    case ready
  }

  let memory: MemorySystem
  let staging: ArgumentStaging
  let argumentVector: UInt64
  let environmentVector: UInt64
  /// How far the new stack can grow now, and the limit that it follows from.
  let stackByteCount: UInt64
  let stackLimit: UInt64
  let account: UserAccount?
  /// The path, with its NUL.
  public let path: [1024 of UInt8]
  /// Bytes of the path, its NUL included.
  public let pathByteCount: Int
  var phase = Phase.arguments
  // Staging strings
  var chunk = [512 of UInt8](repeating: 0)
  var progress = 0
  var stringAddress: UInt64 = 0
  // Building the image
  var layout: ProgramLayout?
  var stack: InitialStack?
  private(set) var space: AddressSpace?
  var headerIndex = 0
  var segmentProgress: UInt64 = 0
  var isSegmentMapped = false
  /// What the file is mapped from, if it can be.
  private(set) var content: FileContent?
  /// The pages of the segment that show the file.
  var shared: Range<UInt64> = 0..<0
  var previousEndPage: UInt64 = 0
  var previousProtection: Protection = []
  var cursor = 0
  var pointerIndex = 0
  var chunkByteCount = 0

  /// An execution of the program at `path`.
  ///
  /// - Parameters:
  ///   - arguments: the address of the argument vector in the caller's address space.
  ///   - environment: the address of the environment vector, or 0 for none.
  ///   - stackLimit: the soft limit of the new stack.
  ///   - account: whom the new memory is charged to.
  public init(
    _ memory: MemorySystem, path: [1024 of UInt8], pathByteCount: Int, arguments: UInt64, environment: UInt64,
    stackLimit: UInt64, account: UserAccount?
  ) {
    self.account = account
    self.memory = memory
    self.path = path
    self.pathByteCount = pathByteCount
    self.stackLimit = stackLimit
    // What every stack has at first is there whatever the limit says.
    let limit = min(stackLimit, ABI.UserSpace.maximumStackByteCount) & ~Page.offsetMask
    stackByteCount = max(limit, ABI.UserSpace.stackGrowthByteCount)
    argumentVector = arguments
    environmentVector = environment
    staging = ArgumentStaging(memory)
  }

  deinit {
    space?.retire()
  }

  /// The new address space, while it is not handed over, for those who look whether everything belongs to somebody.
  public var inspectedSpace: AddressSpace? { space }

  /// Stages a string that the kernel made, for process 1.
  public func stage(_ bytes: Span<UInt8>) throws(Errno) {
    try staging.append(bytes, count: bytes.count)
    staging.endArgument()
  }

  /// Stages a string of the environment that the kernel made, behind all arguments.
  public func stageEnvironment(_ bytes: Span<UInt8>) throws(Errno) {
    try staging.append(bytes, count: bytes.count)
    staging.environmentCount += 1
  }

  /// Ends the staging of arguments that the kernel made.
  public func endStaging() { phase = .file }

  /// Checks the file, which is shared, not copied, if its content is given, and makes the empty address space. Throws ENOEXEC,
  /// ENOMEM, and E2BIG when the arguments do not fit the stack.
  public func load(_ image: ExecutableImage, _ content: FileContent? = nil) throws(Errno) {
    precondition(phase == .file)
    self.content = content
    let stackBase = InitialStack.top - ABI.UserSpace.maximumStackByteCount
    let layout = try ProgramLayout(image, memory.physical, limit: stackBase)
    let stack = InitialStack(staging, pathByteCount: pathByteCount)
    let needed = stack.byteCount + 2 * Page.byteCount
    guard needed <= stackByteCount else { throw .e2big }
    let space = try AddressSpace.make(memory)
    space.account = account
    self.space = space
    self.layout = layout
    self.stack = stack
    // Address space is kept for all that the limit can ever be; what the arguments take is there from the beginning.
    var request = MapRequest(
      address: stackBase, byteCount: ABI.UserSpace.maximumStackByteCount, placement: .fixed,
      protection: [.read, .write], maximum: .all, sharing: .private, object: nil)
    var kind = StackRequest(guardPageCount: memory.stackGuardPageCount)
    let step = kind.initialByteCount
    kind.initialByteCount = min(max((needed + step - 1) / step * step, step), stackByteCount)
    request.stack = kind
    _ = try space.map(request)
    phase = .segments
  }

  /// Hands over the finished address space.
  func takeSpace() -> AddressSpace? {
    let result = space
    space = nil
    return result
  }

  /// Whether the arguments are staged and `load` is to be called with the file.
  public var needsFile: Bool { phase == .file }

  /// Does one step; when it is complete the new address space is ready to take the place of the old one. `old` is the one
  /// that the vectors lie in. Not while the file is needed.
  public func step(_ old: AddressSpace?) throws(Errno) -> Progress {
    switch phase {
    case .arguments, .environment:
      guard let old else { throw .efault }
      return try stageStep(old)
    case .file: preconditionFailure("an execution goes on without its file")
    case .segments: return try segmentStep()
    case .strings: return try stringStep()
    case .pointers: return try pointerStep()
    case .remainder: return try remainderStep()
    case .ready: return .complete
    }
  }

  // MARK: Staging

  private func stageStep(_ old: AddressSpace) throws(Errno) -> Progress {
    if stringAddress == 0 { return try pointerInStep(old) }
    switch copyString(old, into: &chunk) {
    case .fault: throw .efault
    case .wait(let wait): return .wait(wait)
    case .tooLong:
      try staging.append(chunk.span, count: progress)
      let (next, overflow) = stringAddress.addingReportingOverflow(UInt64(progress))
      guard !overflow else { throw .efault }
      stringAddress = next
      progress = 0
    case .complete:
      try staging.append(chunk.span, count: progress)
      progress = 0
      stringAddress = 0
      if phase == .arguments { staging.endArgument() } else { staging.environmentCount += 1 }
    }
    return .again
  }

  /// Reads the next pointer of a vector.
  private func pointerInStep(_ old: AddressSpace) throws(Errno) -> Progress {
    let vector = phase == .arguments ? argumentVector : environmentVector
    let index = phase == .arguments ? staging.argumentCount : staging.environmentCount
    if phase == .environment && vector == 0 {
      phase = .file
      return .again
    }
    let (address, overflow) = vector.addingReportingOverflow(8 * UInt64(index))
    guard !overflow else { throw .efault }
    switch copyPointer(old, address, into: &chunk) {
    case .fault, .tooLong: throw .efault
    case .wait(let wait): return .wait(wait)
    case .complete: break
    }
    progress = 0
    stringAddress = chunk.span.loadUInt64(at: 0)
    if stringAddress == 0 {
      if phase == .arguments {
        guard staging.argumentCount > 0 else { throw .einval }
        phase = .environment
      } else {
        phase = .file
      }
    }
    return .again
  }

  private func copyString(_ old: AddressSpace, into chunk: inout [512 of UInt8]) -> UserCopyOutcome {
    var span = chunk.mutableSpan
    var room = MutableRawSpan(_elements: &span)
    return old.copyInString(from: VirtualAddress(stringAddress), into: &room, progress: &progress)
  }

  private func copyPointer(
    _ old: AddressSpace, _ address: UInt64, into chunk: inout [512 of UInt8]
  ) -> UserCopyOutcome {
    var span = chunk.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var room = bytes._mutatingExtracting(0..<8)
    return old.copyIn(from: VirtualAddress(address), into: &room, progress: &progress)
  }
}
