// Handlers of signals in scripted programs: a thread that comes to the trampoline is noted with its registers, the frames on its
// stack are read once everybody has acted on what is due, and the call that was interrupted is found in the innermost of them.
//
// Invariant: at the end of a step nobody who can run has a signal to act on. So a step begins with threads that are either in
// ring 3 or asleep until another does something.

import ABI
import Memory
import Processes
import SystemCalls

/// What a thread that was made finds in its registers.
struct ThreadStart {
  /// Who made it.
  var maker: Int
  /// What it was given.
  var registers: [(KernelMachine.Register, UInt64)]

  /// Of what it was not given the registers of its maker are a copy.
  func check(
    _ kept: [(KernelMachine.Register, UInt64)], _ register: (KernelMachine.Register) -> UInt64
  ) throws(Difference) {
    let others = kept.filter { $0.0 != .rbp }
    for (place, wanted) in registers + others where register(place) != wanted {
      throw Difference("\(place) of a new thread is \(register(place)), expected \(wanted)")
    }
  }
}

/// A thread that came to ring 3: where a handler begins, or anywhere else.
struct Arrival {
  /// The thread.
  var actor: Int
  /// rdi, rsi, rdx, rcx and rflags, where a handler begins.
  var registers: [UInt64] = []
  /// Its stack pointer before the first of the frames.
  var oldStackPointer: UInt64 = 0
  /// Its stack pointer now: where the last of the frames lies.
  var stackPointer: UInt64 = 0
  /// The frames, the last one first, once they have been read; none: no handler begins.
  var frames: [[UInt8]] = []

  var isHandler: Bool { !registers.isEmpty }
}

extension KernelMachine {
  /// Registers that neither a call nor time that passes changes.
  static let keptRegisters: [Register] = [.rbx, .rbp, .r12, .r13, .r14, .r15]

  /// Where a register lies in a frame, from its start.
  static func place(_ register: Register) -> Int {
    switch register {
    case .rdi: 40
    case .rsi: 48
    case .rdx: 56
    case .rcx: 64
    case .r8: 72
    case .r9: 80
    case .rax: 88
    case .rbx: 96
    case .rbp: 104
    case .r10: 112
    case .r11: 120
    case .r12: 128
    case .r13: 136
    case .r14: 144
    case .r15: 152
    case .rip: 192
    case .rflags: 208
    case .rsp: 216
    }
  }

  /// A thread of the script has come to ring 3.
  func arrive(_ actor: Int) throws(Difference) {
    let stackPointer = register(.rsp)
    // Another handler may find its frame where that was from which the thread returns.
    let returning = pendingCalls[actor]?.frame
    // It may be another handler that it returns to, which was about to begin.
    let hasReturned = returning.map {
      littleEndian($0, Self.place(.rip)) == register(.rip) && littleEndian($0, Self.place(.rsp)) == stackPointer
    }
    guard hasReturned != true, register(.rip) == UserSpace.signalTrampoline,
      stackPointer != stackPointers[actor] || returning != nil,
      !unreadFrames.contains(where: { arrivals[$0].actor == actor && arrivals[$0].stackPointer == stackPointer })
    else {
      if isSettling { arrivals.append(Arrival(actor: actor)) }
      // What its call gave is in the frame.
      if unreadFrames.contains(where: { arrivals[$0].actor == actor }) { return }
      if let pending = pendingCalls[actor], isToBeMadeAgain(pending, { self.register($0) }) {
        callsToMakeAgain.insert(actor)
        return
      }
      if register(.rip) != UserSpace.signalTrampoline || hasReturned == true { stackPointers[actor] = stackPointer }
      return try capture(actor) { self.register($0) }
    }
    arrivals.append(
      Arrival(
        actor: actor, registers: [.rdi, .rsi, .rdx, .rcx, .rflags].map { register($0) },
        oldStackPointer: returning.map { littleEndian($0, Self.place(.rsp)) } ?? stackPointers[actor] ?? 0,
        stackPointer: stackPointer))
    stackPointers[actor] = stackPointer
    unreadFrames.append(arrivals.count - 1)
  }

  /// Whether a call is to be made again because a signal interrupted it: its number and its arguments are there still.
  private func isToBeMadeAgain(_ pending: PendingCall, _ register: (Register) -> UInt64) -> Bool {
    pending.frame == nil && pending.call != .execve && register(.rip) == Program.text && register(.rax) == pending.entry
  }

  /// Reads the frames of handlers that have begun, and what the calls gave that they interrupted.
  func readFrames() throws(Difference) {
    // Reading takes time, too, in which the thread comes to ring 3 again.
    while let index = unreadFrames.first {
      let arrival = arrivals[index]
      var frames: [[UInt8]] = []
      var place = arrival.stackPointer
      while place != arrival.oldStackPointer {
        guard frames.count < 140 else {
          throw Difference("the frames of handlers do not lead to what they interrupted")
        }
        guard let frame = try load(arrival.actor, place, byteCount: SignalFrame.byteCount) else { break }
        frames.append(frame)
        place = littleEndian(frame, Self.place(.rsp))
      }
      arrivals[index].frames = frames
      unreadFrames.removeFirst()
      guard let first = frames.last else { continue }
      try note(interrupted: first, of: arrival.actor, at: frames.count > 1 ? frames[frames.count - 2] : nil, arrival)
    }
  }

  /// What the first of some frames says of what it interrupted.
  private func note(
    interrupted frame: [UInt8], of actor: Int, at next: [UInt8]?, _ arrival: Arrival
  ) throws(Difference) {
    let value = { (register: Register) in littleEndian(frame, Self.place(register)) }
    let address = next.map { littleEndian($0, Self.place(.rsp)) } ?? arrival.stackPointer
    guard let pending = pendingCalls[actor] else {
      for (place, wanted) in knownRegisters[actor] ?? [] where value(place) != wanted {
        throw Difference("\(place) was \(wanted) and is \(value(place)) in a frame")
      }
      return
    }
    if pending.frame != nil {
      pendingCalls[actor] = nil
      return try checkReturned(actor, pending, intoFrame: address, value)
    }
    if isToBeMadeAgain(pending, value) {
      pendingCalls[actor] = nil
      callsToMakeAgain.remove(actor)
      for (place, wanted) in pending.kept where value(place) != wanted {
        throw Difference("\(place) was \(wanted) and is \(value(place)) in the frame of a call to be made again")
      }
      interruptedCalls[actor, default: [:]][address] = pending
      returnedCalls[actor] = .handled
    } else {
      try capture(actor, value)
    }
  }

  // MARK: Returning

  /// Makes sigreturn(2) of the innermost handler, whose saved mask may be changed before; then the call that it interrupted,
  /// if that is to be made again.
  func returnFromHandler(_ actor: Int, mask: [UInt8]?) throws(Difference) -> Observation {
    guard try schedule(actor), let frame = stackPointers[actor] else { return .ended }
    let context = frame + UInt64(SignalFrame.context)
    if let mask { guard try store(actor, mask, at: context) else { return .ended } }
    guard let saved = try load(actor, frame, byteCount: SignalFrame.byteCount), try schedule(actor) else {
      return .ended
    }
    pendingCalls[actor] = PendingCall(call: .sigreturn, entry: 417, kept: [], frame: saved, frameAddress: frame)
    setRegister(.rdi, context)
    setRegister(.rax, UInt64(SystemCallNumber.sigreturn.rawValue))
    try enterForCall(actor)
    let observation = try awaitReturn(actor)
    guard let operation = resumedOperations.removeValue(forKey: actor) else { return observation }
    // The call that the handler had interrupted was made again.
    if observation == .blocked {
      blockedOperations[actor] = operation
    } else {
      try collect(operation, actor, observation)
    }
    return observation
  }

  /// Whether the registers are those of a frame from which a handler has returned.
  func checkReturned(
    _ actor: Int, _ pending: PendingCall, intoFrame next: UInt64? = nil, _ register: (Register) -> UInt64
  ) throws(Difference) {
    guard let frame = pending.frame else { return }
    if register(.rip) == Program.text + 2 && register(.rax) == UInt64(Errno.einval.rawValue)
      && littleEndian(frame, Self.place(.rax)) != UInt64(Errno.einval.rawValue)
    {
      throw Difference("sigreturn refuses a frame of the kernel's")
    }
    for place in Register.all where register(place) != littleEndian(frame, Self.place(place)) {
      throw Difference(
        "\(place) is \(register(place)) when a handler has returned, was \(littleEndian(frame, Self.place(place)))")
    }
    knownRegisters[actor] = Self.keptRegisters.map { ($0, littleEndian(frame, Self.place($0))) }
    let interrupted = interruptedCalls[actor]?.removeValue(forKey: pending.frameAddress)
    if let interrupted, let next {
      interruptedCalls[actor]?[next] = interrupted
    } else if let interrupted {
      pendingCalls[actor] = interrupted
      resumedOperations[actor] = interrupted.operation
      callsToMakeAgain.insert(actor)
      return
    }
    returnedCalls[actor] = .value(0)
  }

  // MARK: Settling

  /// Lets everybody act on what is due, and waits for those who end.
  func settleSignals() throws(Difference) {
    isSettling = true
    defer { isSettling = false }
    var count = 0
    while report == nil, let what = unsettled {
      if count == 5000 { throw Difference(what) }
      count += 1
      try burnTime()
    }
    try readFrames()
    for actor in Set(contexts.values) where !isAlive(actor) { forget(actor) }
  }

  /// Somebody who has something to act on.
  private var unsettled: String? {
    var found: String?
    let processes = kernel.inspectedProcesses
    processes.inspectProcesses { process in
      guard found == nil else { return }
      if process.state == .exiting { found = "process \(process.identifier) never ends" }
      guard process.state == .running else { return }
      processes.forEachThread(of: process) { thread in
        if thread.isEnding { found = "thread \(thread.identifier) never ends" }
        // The stack is brought in, or the memory of a call that has got a signal.
        if case .phase(.signalFrame) = thread.continuation { found = "a handler never begins" }
        if case .phase(.delivery) = thread.continuation { found = "the result of a call is never stored" }
        if process.isStopped { return }
        if thread.signals.sleepEnd != .none || processes.hasDueSignal(thread, process) {
          found = "thread \(thread.identifier) never acts on a signal"
        }
      }
    }
    if found == nil, !callsToMakeAgain.isEmpty { found = "a call is never made again" }
    return found
  }

  /// What has become of a process.
  func fate(of number: Int) -> ModelFate {
    guard let identifier = identifiers[number], let process = kernel.inspectedProcesses.process(identifier),
      process.state == .running
    else { return .ended }
    return process.isStopped ? .stopped : .running
  }

  /// Whether a thread that was blocked in a call which waits for signals has got one.
  func hasTakenSignal(_ actor: Int, isPlain: Bool) -> Bool {
    guard let returned = returnedCalls[actor] else { return false }
    let interruption = Errno.eintr.rawValue
    return returned != (isPlain ? .value(UInt64(interruption)) : .error(interruption)) && returned != .handled
  }

  /// The handlers that have begun during the step, and who came to ring 3 at its end.
  func takeArrivals() -> [Arrival] {
    defer { arrivals = [] }
    return arrivals
  }
}

extension KernelMachine.Register {
  static let all: [KernelMachine.Register] = [
    .rax, .rbx, .rcx, .rdx, .rsi, .rdi, .rbp, .rsp, .r8, .r9, .r10, .r11, .r12, .r13, .r14, .r15, .rip, .rflags,
  ]
}
