// A system call under way: who called, with what arguments, and what a handler may do with them.
//
// Invariants
// - The number and the arguments stay in the thread's registers until the result is stored.
// - What a program says about its memory is an allegation: a `VirtualAddress` or `UserRange` becomes bytes only through its
//   address space, which is asked by the methods here and by what moves more than a buffer.

import ABI
import Files
import Memory
import Primitives
import Processes

/// A call. The handlers are its methods (FileCalls.swift and its like).
struct SystemCall {
  let kernel: Kernel
  /// The thread that called.
  let thread: Thread
  /// Its process.
  let process: Process
}

extension Process {
  /// The memory of a process that calls or faults, to be borrowed: it keeps it until it ends.
  @inline(__always)
  var space: BackReference<AddressSpace> {
    guard let space = addressSpace else { preconditionFailure("event of a process without memory") }
    return BackReference(space)
  }
}

// MARK: Arguments

/// An argument.
struct Argument: BitwiseCopyable {
  /// What is in the register.
  let raw: UInt64

  /// An int.
  @inline(__always)
  var integer: Int32 { Int32(truncatingIfNeeded: raw) }
  /// An unsigned int.
  @inline(__always)
  var word: UInt32 { UInt32(truncatingIfNeeded: raw) }
  /// A long or an off_t.
  @inline(__always)
  var long: Int64 { Int64(bitPattern: raw) }
  /// A descriptor.
  @inline(__always)
  var descriptor: Descriptor { Descriptor(number: Int32(truncatingIfNeeded: raw)) }
  /// A pointer.
  @inline(__always)
  var address: VirtualAddress { VirtualAddress(raw) }
  /// Whether it is the null pointer.
  @inline(__always)
  var isNull: Bool { raw == 0 }
  /// So many bytes from where the pointer points.
  @inline(__always)
  func range(_ byteCount: Int) -> UserRange { UserRange(start: VirtualAddress(raw), byteCount: byteCount) }
  /// A user or group identifier, of which −1 means "leave it".
  var optionalIdentifier: UInt32? { word == UInt32.max ? nil : word }
}

/// A descriptor as a program names it; it may not be open.
struct Descriptor: BitwiseCopyable, Equatable {
  let number: Int32
}

/// A piece of memory as a program names it; there may be none.
struct UserRange: BitwiseCopyable {
  let start: VirtualAddress
  let byteCount: Int
}

/// The arguments of a call.
struct Arguments: BitwiseCopyable {
  var first: Argument
  var second: Argument
  var third: Argument
  var fourth: Argument
  var fifth: Argument
  var sixth: Argument

  @inline(__always)
  init(_ registers: borrowing ArgumentRegisters) {
    first = Argument(raw: registers.rdi)
    second = Argument(raw: registers.rsi)
    third = Argument(raw: registers.rdx)
    fourth = Argument(raw: registers.r10)
    fifth = Argument(raw: registers.r8)
    sixth = Argument(raw: registers.r9)
  }

  /// The argument with this index.
  subscript(index: Int) -> Argument {
    switch index {
    case 0: first
    case 1: second
    case 2: third
    case 3: fourth
    case 4: fifth
    default: sixth
    }
  }
}

extension SystemCall {
  /// The arguments.
  @inline(__always)
  var arguments: Arguments { Arguments(thread.arguments.value) }

  // MARK: What belongs to the process

  /// The descriptors.
  @inline(__always)
  var table: FileTable {
    guard let files = process.files else { preconditionFailure("call of a process without descriptors") }
    return files
  }

  /// The memory.
  @inline(__always)
  var space: AddressSpace {
    guard let space = process.addressSpace else { preconditionFailure("call of a process without memory") }
    return space
  }

  /// The same, to be borrowed.
  @inline(__always)
  var spaceReference: BackReference<AddressSpace> { process.space }

  /// An open file, for what needs these rights.
  ///
  /// Throws EBADF when the descriptor is not open, ENOTCAPABLE when it is limited to other rights.
  @inline(__always)
  func file(_ descriptor: Descriptor, needing rights: CapabilityRights) throws(Errno) -> OpenFile {
    try BackReference(table).tryBorrow { table throws(Errno) in
      try table.file(at: descriptor.number, needing: rights)
    }
  }

  /// The same, to be borrowed by a call that does not close it.
  @inline(__always)
  func fileReference(
    _ descriptor: Descriptor, needing rights: CapabilityRights
  ) throws(Errno) -> BackReference<OpenFile> {
    try BackReference(table).tryBorrow { table throws(Errno) in
      try table.reference(at: descriptor.number, needing: rights)
    }
  }

  /// Lends the identity and the descriptors of the process to a call that leaves them in place.
  @inline(__always)
  func lend<Value>(_ body: (Credentials, FileTable) throws(Errno) -> Value) throws(Errno) -> Value {
    try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
      try BackReference(table).tryBorrow { table throws(Errno) in try body(credentials, table) }
    }
  }

  /// Lends the descriptors alone.
  @inline(__always)
  func lendTable<Value, Failure>(_ body: (FileTable) throws(Failure) -> Value) throws(Failure) -> Value {
    try BackReference(table).tryBorrow(body)
  }

  // MARK: The buffer

  /// The thread's buffer.
  @inline(__always)
  var buffer: [1024 of UInt8] {
    @inline(__always)
    _read { yield thread.frame.value.buffer }
    @inline(__always)
    nonmutating _modify { yield &thread.frame.value.buffer }
  }

  /// Bytes of the path or structure that was copied to the front of the buffer.
  @inline(__always)
  var stagedByteCount: Int { thread.stagedByteCount }

  /// Lends the path that was copied in, without its NUL.
  @inline(__always)
  func withPath<Value>(_ body: (Span<UInt8>) throws(Errno) -> Value) throws(Errno) -> Value {
    try body(thread.frame.value.buffer.span.extracting(0..<stagedByteCount - 1))
  }

  /// A word of the buffer.
  @inline(__always)
  func stagedWord(at offset: Int) -> UInt32 { thread.frame.value.buffer.span.loadUInt32(at: offset) }

  /// Eight bytes of the buffer.
  @inline(__always)
  func stagedLong(at offset: Int) -> UInt64 { thread.frame.value.buffer.span.word(at: offset) }

  /// Puts an integer into the buffer.
  @inline(__always)
  func stage<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int = 0) {
    thread.frame.value.buffer.store(value, at: offset)
  }

  /// Zeroes a part of the buffer, so that a structure encoded there carries nothing else out.
  @inline(__always)
  func zero(from offset: Int = 0, _ byteCount: Int) {
    for position in stride(from: offset, to: offset + byteCount, by: 8) { stage(UInt64(0), at: position) }
  }

  // MARK: The heap

  /// Whether the heap has the reserve that a call needs which cannot be done at once; false when it has to be answered with
  /// `restart`.
  func hasReserve() -> Bool {
    if kernel.hasHeapReserve() { return true }
    thread.place = nil
    thread.wanted = .frames
    return false
  }

  // MARK: User memory

  /// Fills the front of the buffer from user memory; false when the call has to be answered with `restart`.
  ///
  /// Throws EFAULT when it cannot be reached.
  func fetch(_ range: UserRange) throws(Errno) -> Bool {
    var progress = 0
    return try isDone(space.copyIn(range, into: &thread.frame.value.buffer, &progress))
  }

  /// Eight bytes of user memory, without touching the buffer; nil when the call has to be answered with `restart`.
  func fetchLong(_ address: VirtualAddress) throws(Errno) -> UInt64? {
    var word = [8 of UInt8](repeating: 0)
    var span = word.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var progress = 0
    let outcome = space.copyIn(from: address, into: &bytes, progress: &progress)
    return try isDone(outcome) ? word.span.loadUInt64(at: 0) : nil
  }

  /// Copies the front of the buffer to user memory at once; false when the call has to be answered with `restart`.
  func put(_ range: UserRange) throws(Errno) -> Bool {
    var progress = 0
    let bytes = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<range.byteCount)
    return try isDone(space.copyOut(bytes, to: range.start, progress: &progress))
  }

  /// Whether user memory was reached; false when the call has to be answered with `restart`. Throws EFAULT when it cannot be.
  func isDone(_ outcome: UserCopyOutcome) throws(Errno) -> Bool {
    switch outcome {
    case .complete: return true
    case .fault, .tooLong: throw .efault
    case .wait(let awaited):
      thread.wanted = awaited
      return false
    }
  }

  /// Stores a structure of two parts in user memory if that can be done at once.
  @inline(__always)
  func store<First: BitwiseCopyable, Second: BitwiseCopyable>(
    _ first: First, _ second: Second, at address: VirtualAddress
  ) -> Bool {
    spaceReference.borrow { $0.store(first, second, at: address) }
  }
}

// MARK: Answers

extension SystemCall {
  /// Copies the front of the buffer out and returns 0.
  @inline(__always)
  func deliver(_ byteCount: Int, to address: VirtualAddress) -> Answer {
    thread.frame.value.delivery.begin(value: 0)
    thread.frame.value.delivery.append(address: address, offset: 0, byteCount: byteCount)
    return .deliver
  }

  /// Begins a delivery of several pieces, after which the call returns `value`, or an error.
  @inline(__always)
  func beginDelivery(value: UInt64 = 0, error: Errno? = nil) {
    thread.frame.value.delivery.begin(value: value, error: error)
  }

  /// Adds a piece of the buffer to the delivery, unless the program wants none.
  @inline(__always)
  func addPiece(at offset: Int, _ byteCount: Int, to pointer: Argument) {
    if !pointer.isNull {
      thread.frame.value.delivery.append(address: pointer.address, offset: offset, byteCount: byteCount)
    }
  }

  /// Stores a structure of two parts and returns 0; through the buffer, when the page is not there yet.
  @inline(__always)
  func deliver<First: FixedWidthInteger & BitwiseCopyable, Second: FixedWidthInteger & BitwiseCopyable>(
    _ first: First, _ second: Second, to address: VirtualAddress
  ) -> Answer {
    if store(first, second, at: address) { return .value(0) }
    stage(first, at: 0)
    stage(second, at: MemoryLayout<First>.size)
    return deliver(MemoryLayout<First>.size + MemoryLayout<Second>.size, to: address)
  }

  /// Stores one 64-bit value and returns 0.
  func deliver(_ value: UInt64, to address: VirtualAddress) -> Answer {
    if store(value, (), at: address) { return .value(0) }
    stage(value)
    return deliver(8, to: address)
  }

  /// Waits with what remains of the call.
  func wait(on awaited: Wait, then continuation: consuming Continuation) -> Answer {
    thread.continuation = continuation
    return .wait(awaited)
  }

  /// Lets others have their turns, if this thread's is used up, and goes on with what remains.
  func goOnLater(_ continuation: consuming Continuation) -> Answer {
    thread.continuation = continuation
    return .later
  }

  /// Waits with a place in a line; the call, which has done nothing yet, begins anew.
  func stand(in place: TransferHold?, on awaited: Wait) -> Answer {
    thread.place = place
    return wait(on: awaited, then: .phase(.whole))
  }

  /// The file of a descriptor; where the call waited already, that which it had then, whatever the descriptor is now.
  func fileInLine(_ descriptor: Descriptor, needing right: CapabilityRights) throws(Errno) -> OpenFile {
    if let place = thread.place { return place.file }
    return try file(descriptor, needing: right)
  }

  /// Stores the value now, because what follows may give the processor away.
  func leave(with value: UInt64) -> Answer {
    kernel.succeed(&thread.context, value)
    return .left
  }

  /// A call that does not exist: ENOSYS, and SIGSYS if `kern.signosys` says so. It is posted, not forced on a program that
  /// ignores it (spec abi.md section 2).
  func unknownCall() -> Errno {
    if kernel.unknownCallsRaiseSignal {
      if kernel.processes.isFatal(.sigsys, thread, process) { kernel.tellOfUnknownCall(of: process, thread) }
      _ = kernel.processes.post(SignalInformation(.sigsys), to: process, thread, isItsOwn: true)
    }
    return .enosys
  }
}
