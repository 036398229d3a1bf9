// What a scripted program does in ring 3: system calls with their registers, and accesses of memory with their faults.

import ABI
import Memory
import Processes
import SystemCalls

extension KernelMachine {
  /// How a call ended.
  enum CallResult {
    case returned(Observation, second: UInt64)
    case ended
  }

  /// Makes a system call and waits for its return.
  func call(_ number: Int, _ call: SystemCallNumber, _ arguments: [UInt64]) throws(Difference) -> CallResult {
    guard try schedule(number) else { return .ended }
    let places: [Register] = [.rdi, .rsi, .rdx, .r10, .r8, .r9]
    var kept: [(Register, UInt64)] = []
    for register in [.rbx, .rbp, .r12, .r13, .r14, .r15] as [Register] {
      let value = noise.next()
      setRegister(register, value)
      kept.append((register, value))
    }
    kept.append((.rsp, register(.rsp)))
    for (index, place) in places.enumerated() {
      setRegister(place, index < arguments.count ? arguments[index] : noise.next())
    }
    for place in [.rdi, .rsi, .rdx] as [Register] { kept.append((place, register(place))) }
    setRegister(.rax, UInt64(call.rawValue))
    enterKernel()
    let goesOn = kernel.monitoredSystemCall()
    if goesOn { hardware.processor.eventEnded() } else { try advance() }
    guard try schedule(number) else { return .ended }
    if call == .execve && register(.rflags) & 1 == 0 { return .returned(.value(0), second: 0) }
    let failed = register(.rflags) & 1 != 0
    let hasSecondResult = call == .fork && !failed
    for (register, value) in kept where self.register(register) != value && !(register == .rdx && hasSecondResult) {
      throw Difference("\(register) changed from \(value) to \(self.register(register)) across \(call.rawValue)")
    }
    for place in [.r8, .r9, .r10] as [Register] where register(place) != 0 {
      throw Difference("\(place) is not zero after \(call.rawValue)")
    }
    if register(.rip) != Program.text + 2 { throw Difference("\(call.rawValue) returns to \(register(.rip))") }
    let value = register(.rax)
    return .returned(failed ? .error(Int32(truncatingIfNeeded: value)) : .value(value), second: register(.rdx))
  }

  /// The observation of a call whose result is one register.
  func simpleCall(_ number: Int, _ call: SystemCallNumber, _ arguments: UInt64...) throws(Difference) -> Observation {
    switch try self.call(number, call, arguments) {
    case .returned(let observation, _): return observation
    case .ended: return .ended
    }
  }

  /// Makes an access possible, faulting as often as it takes; false when the process is gone.
  func access(_ number: Int, _ address: UInt64, _ access: MemoryAccess) throws(Difference) -> Bool {
    for _ in 0..<1000 {
      guard try schedule(number) else { return false }
      do throws(PageFault) {
        _ = try hardware.processor.memoryUnit.translate(address, access)
        return true
      } catch {
        setRegister(.rip, Program.text)
        let event = ProcessorException(vector: 14, errorCode: error.code.rawValue, address: error.address)
        let goesOn = kernel.monitoredException(event)
        if goesOn { hardware.processor.eventEnded() } else { try advance() }
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

  /// Stores what a call is to read, and notes it for the model.
  func prepare(_ number: Int, _ bytes: [UInt8], at address: UInt64) throws(Difference) -> Bool {
    inputs.append((address, bytes))
    return try store(number, bytes, at: address)
  }

  /// Makes a call that takes a path.
  func pathCall(
    _ number: Int, _ call: SystemCallNumber, _ path: String?, _ arguments: [UInt64]
  ) throws(Difference) -> Observation {
    if let path {
      guard try prepare(number, Array(path.utf8) + [0], at: Program.path) else { return .ended }
    }
    switch try self.call(number, call, [path == nil ? 1 : Program.path] + arguments) {
    case .returned(let observation, _): return observation
    case .ended: return .ended
    }
  }

  /// Reads back what a successful call stored.
  func fetchOutput(_ number: Int, _ observation: Observation, _ address: UInt64, _ byteCount: Int) throws(Difference) {
    guard case .value = observation, byteCount > 0 else { return }
    output = try load(number, address, byteCount: byteCount) ?? []
  }
}
