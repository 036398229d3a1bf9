// What a scripted program does in ring 3: system calls with their registers, and accesses of memory with their faults.

import ABI
import Processes
import SystemCalls

extension KernelMachine {
  /// A call that has begun: what the registers must still hold when it returns.
  struct PendingCall {
    var call: SystemCallNumber
    /// What is in rax when it begins.
    var entry: UInt64
    var kept: [(Register, UInt64)]
    /// What it is of, where it is to be made again.
    var operation: Operation?
    /// The frame from which sigreturn(2) returns, and where it lies.
    var frame: [UInt8]?
    var frameAddress: UInt64 = 0
  }

  /// Makes a system call and waits until it returns, the process is gone, or only another process can make it go on.
  func call(_ number: Int, _ call: SystemCallNumber, _ arguments: [UInt64]) throws(Difference) -> Observation {
    guard try schedule(number) else { return .ended }
    if indirection != nil && arguments.count == 6 {
      // The sixth argument is on the stack, above the slot of a return address.
      guard try store(number, Self.bytes(of: arguments[5]), at: register(.rsp) + 8) else { return .ended }
      guard try schedule(number) else { return .ended }
    }
    var kept: [(Register, UInt64)] = []
    for register in Self.keptRegisters {
      let value = noise.next()
      setRegister(register, value)
      kept.append((register, value))
    }
    knownRegisters[number] = kept
    kept.append((.rsp, register(.rsp)))
    var words = arguments
    if indirection != nil { words = [UInt64(call.rawValue)] + arguments.prefix(5) }
    for (index, place) in ([.rdi, .rsi, .rdx, .r10, .r8, .r9] as [Register]).enumerated() {
      setRegister(place, index < words.count ? words[index] : noise.next())
    }
    for place in [.rdi, .rsi, .rdx] as [Register] { kept.append((place, register(place))) }
    let entry = UInt64((indirection ?? call).rawValue)
    pendingCalls[number] = PendingCall(call: call, entry: entry, kept: kept)
    setRegister(.rax, entry)
    try enterForCall(number)
    return try awaitReturn(number)
  }

  /// The thread that has the processor enters the kernel with what is in its registers.
  func enterForCall(_ actor: Int) throws(Difference) {
    enterKernel()
    if kernel.watch(.systemCall) {
      hardware.processor.eventEnded()
      try arrive(actor)
    } else {
      try advance()
    }
  }

  /// Lets the machine go on until the call that a process is in has returned.
  func awaitReturn(_ number: Int) throws(Difference) -> Observation {
    for _ in 0..<5000 {
      try readFrames()
      if let returned = returnedCalls.removeValue(forKey: number) { return returned }
      guard report == nil, isAlive(number) else {
        forget(number)
        return .ended
      }
      if isBlocked(number) { return .blocked }
      try burnTime()
    }
    throw Difference("the call of process \(number) never returns: a wake-up was forgotten")
  }

  /// The thread is in ring 3, or in a handler that interrupted it there: if it was in a call, that has returned, and its
  /// registers are checked now.
  func capture(_ number: Int, _ register: (Register) -> UInt64) throws(Difference) {
    guard let pending = pendingCalls.removeValue(forKey: number) else { return }
    if pending.frame != nil { return try checkReturned(number, pending, register) }
    let failed = register(.rflags) & 1 != 0
    if pending.call == .execve && !failed {
      returnedCalls[number] = .value(0)
      return
    }
    let hasSecondResult = [.fork, .rfork, .pipe].contains(pending.call) && !failed
    for (place, value) in pending.kept where register(place) != value && !(place == .rdx && hasSecondResult) {
      throw Difference("\(place) changed from \(value) to \(register(place)) across \(pending.call.rawValue)")
    }
    if hasSecondResult && pending.call == .pipe {
      secondResults[number] = register(.rdx)
    } else if hasSecondResult && register(.rdx) != 0 {
      throw Difference("fork gives the parent a second result")
    }
    for place in [.r8, .r9, .r10] as [Register] where register(place) != 0 {
      throw Difference("\(place) is not zero after \(pending.call.rawValue)")
    }
    if register(.rip) != Program.text + 2 {
      throw Difference("\(pending.call.rawValue) returns to \(register(.rip))")
    }
    let value = register(.rax)
    returnedCalls[number] = failed ? .error(Int32(truncatingIfNeeded: value)) : .value(value)
  }

  /// Makes an access possible, faulting as often as it takes; false when the process is gone.
  func access(_ number: Int, _ address: UInt64, _ access: MemoryAccess) throws(Difference) -> Bool {
    let handlerCount = arrivals.count { $0.actor == number && $0.isHandler }
    for _ in 0..<1000 {
      guard try schedule(number) else { return false }
      if arrivals.count(where: { $0.actor == number && $0.isHandler }) > handlerCount {
        faultedActors.insert(number)
        return false
      }
      do throws(PageFault) {
        _ = try hardware.processor.memoryUnit.translate(address, access)
        return true
      } catch {
        setRegister(.rip, Program.text)
        let event = ProcessorException(vector: 14, errorCode: error.code.rawValue, address: error.address)
        let goesOn = kernel.watch(.exception(event))
        if goesOn {
          hardware.processor.eventEnded()
          try arrive(number)
        } else {
          try advance()
        }
      }
    }
    throw Difference("the fault at \(hexadecimal(address)) comes again and again")
  }

  /// Loads bytes; nil when the process is gone.
  func load(_ number: Int, _ address: UInt64, byteCount: Int) throws(Difference) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      let place = address + UInt64(bytes.count)
      guard try access(number, place, .read) else { return nil }
      let count = min(byteCount - bytes.count, 4096 - Int(place % 4096))
      bytes += try hardware.loadNow(place, byteCount: count)
    }
    return bytes
  }

  /// Stores bytes; false when the process is gone.
  func store(_ number: Int, _ bytes: [UInt8], at address: UInt64) throws(Difference) -> Bool {
    var done = 0
    while done < bytes.count {
      let place = address + UInt64(done)
      guard try access(number, place, .write) else { return false }
      let count = min(bytes.count - done, 4096 - Int(place % 4096))
      try hardware.storeNow(Array(bytes[done..<done + count]), at: place)
      done += count
    }
    return true
  }

  // MARK: Pointers

  /// Where a pointer of the call points.
  func place(_ pointer: CallPointer) -> UInt64 { places[pointer] ?? Program.place(pointer) }

  /// Stores what a call is to read, and notes it for the model. A pointer that points elsewhere finds what is there, except
  /// that the end of the data segment is filled as far as it goes.
  func prepare(_ number: Int, _ bytes: [UInt8], at pointer: CallPointer) throws(Difference) -> Bool {
    let address = place(pointer)
    var bytes = bytes
    if places[pointer] != nil {
      guard address >= Program.data, address < Program.dataEnd else { return true }
      bytes = Array(bytes.prefix(Int(Program.dataEnd - address)))
    }
    inputs.append((address, bytes))
    return try store(number, bytes, at: address)
  }

  /// Reads back what a call stored where a pointer points: all of it when it succeeded, and what the end of the data segment
  /// holds when it failed in the middle.
  func fetch(
    _ number: Int, _ observation: Observation, _ pointer: CallPointer, _ byteCount: Int
  ) throws(Difference) {
    let address = place(pointer)
    switch observation {
    case .value: try fetch(number, at: address, pointer, byteCount)
    case .error(let error) where error == Errno.efault.rawValue && !places.isEmpty:
      // The other pointers of a call with a bad one may have been stored through.
      if places[pointer] == nil {
        try fetch(number, at: address, pointer, byteCount)
      } else if address >= Program.data && address < Program.dataEnd {
        try fetch(number, at: address, pointer, min(byteCount, Int(Program.dataEnd - address)))
      }
    default: break
    }
  }

  /// Reads back bytes that a call stored.
  func fetch(_ number: Int, at address: UInt64, _ pointer: CallPointer, _ byteCount: Int) throws(Difference) {
    guard byteCount > 0, let bytes = try load(number, address, byteCount: byteCount) else { return }
    outputs.append(CallOutput(pointer: pointer, address: address, bytes: bytes))
  }

  /// A word as it lies in memory.
  static func bytes(of word: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }

  /// An int as it lies in memory.
  static func bytes(of word: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
}
