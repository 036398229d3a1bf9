// Turns: who goes first, who gives way, and what a thread may still use (the rule is at the top of Scheduler.swift).

import ABI
import Primitives

/// What a thread may use in its round.
struct Turn: BitwiseCopyable {
  /// What is left of the turn in `round`, in nanoseconds; not above 0: it is used up.
  var left: Int64 = 0
  /// The round that the turn belongs to.
  var round: UInt64 = 0
  /// Nanoseconds used since the thread last woke.
  var burstNanoseconds: UInt64 = 0
  /// When it parked last, in nanoseconds since boot.
  var parkedNanoseconds: UInt64 = 0
  /// Whether the round gave it, and not a parent.
  var isOwn = true
  /// Whether the thread waits for its children, who may use its turn meanwhile.
  var waitsForChildren = false
  /// Its class and level.
  var rank = Rank.sharing
  /// How it stands in its class.
  var standing: ClassStanding = []
  /// The slot of the parent, and which of those that had the slot one after the other.
  var parent = ThreadSlot.none
  var parentNumber: UInt32 = 0
  /// Which of those that had this slot this one is.
  var number: UInt32 = 0
  /// What it is charged for a nanosecond, in units of `Niceness.unit`.
  var charge = Niceness.unit

  /// It has a turn of a round.
  mutating func begin(in round: UInt64, _ whole: Int64) {
    let overdrawn = self.round &+ 1 == round ? min(left, 0) : 0
    left = max(whole + overdrawn, min(whole, Int64(ProcessLimits.burstNanoseconds)))
    self.round = round
    isOwn = true
  }

  /// It used so many nanoseconds.
  @inline(__always)
  mutating func use(_ nanoseconds: UInt64) {
    left -= Int64(clamping: Niceness.weigh(nanoseconds, charge))
    burstNanoseconds &+= nanoseconds
  }

  @inline(__always)
  mutating func park(at now: UInt64, waitsForChildren: Bool) {
    parkedNanoseconds = now
    self.waitsForChildren = waitsForChildren
  }
}

extension Scheduler {
  // MARK: Rounds

  /// Gives a thread the turn of a round in which it has had none.
  @inline(__always)
  private func renew(_ slot: ThreadSlot) {
    if turns[slot.index].round != round { turns[slot.index].begin(in: round, Int64(turnNanoseconds)) }
  }

  /// Begins the next round. Nobody who has something left is ready.
  func beginRound() { round &+= 1 }

  /// Takes some of what a parent has left that waits, for a child that has no turn of its own in this round.
  @inline(__always)
  private func draw(_ slot: ThreadSlot) {
    if turns[slot.index].left <= 0 && !turns[slot.index].isOwn { drawFromParent(slot) }
  }

  @inline(never)
  private func drawFromParent(_ slot: ThreadSlot) {
    let turn = turns[slot.index]
    guard turn.round == round, turn.parent != .none else { return }
    let parent = turns[turn.parent.index]
    guard parent.number == turn.parentNumber, parent.waitsForChildren, nodes[turn.parent.index].place == .parked else {
      return
    }
    renew(turn.parent)
    let part = min(turns[turn.parent.index].left, Int64(ProcessLimits.burstNanoseconds))
    guard part > 0 else { return }
    turns[turn.parent.index].left -= part
    turns[slot.index].left += part
  }

  /// How far beyond its turn a thread may go.
  private func allowance(_ precedence: Precedence) -> Int64 {
    precedence == .hurried && turnNanoseconds > 0 ? Int64(ProcessLimits.hurriedNanoseconds) : 0
  }

  /// Where threads of some precedence are: those that have something left of their turns, or nothing.
  private func queue(_ precedence: Precedence, isSpent: Bool = false) -> Int {
    let parity = Int(truncatingIfNeeded: round & 1) ^ (isSpent ? 1 : 0)
    return switch precedence {
    case .hurried: 0
    case .woken: 1 + parity
    case .ordinary: 3 + parity
    }
  }

  private func isEmpty(_ precedence: Precedence) -> Bool { ready[queue(precedence)].isEmpty }

  // MARK: Becoming ready

  /// Makes a thread ready that is in no list, behind those that have something left of their turns; behind all if it has
  /// nothing left itself.
  public func enqueue(_ slot: ThreadSlot) {
    if isOutside(slot) { return enterLevel(slot) }
    renew(slot)
    draw(slot)
    enter(slot, queue(.ordinary, isSpent: turns[slot.index].left <= 0))
  }

  /// Makes a thread ready that is in no list because it waited.
  func wakeUp(_ slot: ThreadSlot) {
    if turns[slot.index].rank != .sharing && wakeUpOutside(slot) { return }
    renew(slot)
    draw(slot)
    let turn = turns[slot.index]
    turns[slot.index].burstNanoseconds = 0
    let waited = now &- turn.parkedNanoseconds
    let isHurried = waited <= ProcessLimits.shortWaitNanoseconds && turn.burstNanoseconds <= waited
    let precedence = isHurried ? Precedence.hurried : .woken
    guard turn.left + allowance(precedence) > 0 else {
      if runningRank.isIdle { system.instance?.processor.needsAttention = true }
      return enter(slot, queue(awakeBehindOthers, isSpent: true))
    }
    enter(slot, queue(precedence))
    system.instance?.processor.needsAttention = true
  }

  /// Where there are no turns, only the order of coming counts.
  private var awakeBehindOthers: Precedence { turnNanoseconds == 0 ? .ordinary : .woken }

  /// Makes a new thread ready, with a part of what its parent has left.
  func enqueue(
    _ slot: ThreadSlot, childOf parent: ThreadSlot, _ priority: ThreadPriority = .normal,
    _ niceness: Niceness = .ordinary
  ) {
    settle(parent)
    turns[slot.index] = Turn(number: turns[slot.index].number &+ 1, charge: niceness.charge)
    if priority.kind != .normal { setPriority(slot, priority, isRunning: false) }
    if isOutside(slot) { return enterLevel(slot) }
    renew(parent)
    let part = min(max(0, turns[parent.index].left / 8), Int64(ProcessLimits.childNanoseconds))
    turns[parent.index].left -= part
    turns[slot.index].left = part
    turns[slot.index].round = round
    turns[slot.index].isOwn = false
    turns[slot.index].parent = parent
    turns[slot.index].parentNumber = turns[parent.index].number
    // Before those who go on, but not before those who woke.
    if part > 0 {
      enter(slot, queue(.ordinary), isFirst: true)
    } else {
      enter(slot, queue(awakeBehindOthers, isSpent: true))
    }
  }

  /// Whatever turn the slot of a thread had, it is nobody's child.
  func forgetParent(_ slot: ThreadSlot) { turns[slot.index].parent = .none }

  /// Settles the turn of a thread that ends with that of the thread that made it, if that is still there.
  func giveBack(_ slot: ThreadSlot) {
    let turn = turns[slot.index]
    let parent = turn.parent
    guard turn.round == round, parent != .none, turns[parent.index].number == turn.parentNumber else { return }
    renew(parent)
    let rest = turn.isOwn ? turn.left - Int64(turnNanoseconds) : turn.left
    let left = turns[parent.index].left
    turns[parent.index].left = min(max(left + rest, min(left, 0)), Int64(turnNanoseconds))
  }

  // MARK: Running

  /// Takes the thread that goes first out of its queue: it runs.
  @inline(__always)
  public func dequeue() -> ThreadSlot? {
    guard readyCount != 0 else { return nil }
    if realTimeLevels != 0 || !hasSharing { return dequeueOutside() }
    if isEmpty(.hurried) && isEmpty(.woken) && isEmpty(.ordinary) { beginRound() }
    running = !isEmpty(.hurried) ? .hurried : !isEmpty(.woken) ? .woken : .ordinary
    let slot = ready[queue(running)].head
    leave(slot)
    renew(slot)
    runningRank = .sharing
    runningIsRaised = turns[slot.index].standing.contains(.raised)
    return slot
  }

  /// Charges time to the running thread, which used it.
  func use(nanoseconds: UInt64) { runningNanoseconds &+= nanoseconds }

  /// Takes what the running thread was charged for off its turn.
  @inline(__always)
  func settle(_ slot: ThreadSlot) {
    guard runningNanoseconds != 0 else { return }
    turns[slot.index].use(runningNanoseconds)
    runningNanoseconds = 0
  }

  /// Whether somebody is ready who woke and has something left.
  var hasWoken: Bool { !isEmpty(.hurried) || !isEmpty(.woken) }

  /// The running thread is like everybody from now on.
  func calmDown() { running = .ordinary }

  /// How the running thread stands: one that woke is like everybody after a while.
  private func standing(of slot: ThreadSlot) -> Precedence {
    turns[slot.index].burstNanoseconds < ProcessLimits.burstNanoseconds ? running : .ordinary
  }

  /// Whether somebody goes before the running thread.
  func givesWay(_ slot: ThreadSlot) -> Bool {
    settle(slot)
    if isOutside(slot) { return hasBetter(than: turns[slot.index].rank) }
    if realTimeLevels != 0 { return true }
    if !isEmpty(.hurried) { return standing(of: slot) != .hurried }
    return !isEmpty(.woken) && standing(of: slot) == .ordinary
  }

  /// Whether the running thread has used up its turn and somebody else is ready. Where nobody is, it has the turn of the next
  /// round.
  func hasUsedTurn(_ slot: ThreadSlot) -> Bool {
    settle(slot)
    if turns[slot.index].left > 0 { return false }
    if isOutside(slot) { return hasUsedSlice(slot) }
    draw(slot)
    guard turns[slot.index].left + allowance(standing(of: slot)) <= 0 else { return false }
    if hasSharing { return true }
    beginRound()
    renew(slot)
    return false
  }

  /// Makes the running thread ready again because somebody goes before it: it is the first of its kind to go on.
  func giveWay(_ slot: ThreadSlot) {
    if isOutside(slot) { return enterLevel(slot, isFirst: true) }
    let standing = standing(of: slot)
    guard turns[slot.index].left + allowance(standing) > 0 else { return enqueue(slot) }
    enter(slot, queue(standing), isFirst: standing == running)
  }

  /// When to look again at who goes first, at the latest, while a thread runs that was charged for its time up to now.
  @inline(__always)
  func nextLook(_ slot: ThreadSlot) -> UInt64 {
    settle(slot)
    let left = turns[slot.index].left + allowance(standing(of: slot))
    let rest = Niceness.unweigh(left > 0 ? UInt64(left) : 0, turns[slot.index].charge)
    var wait = min(rest, ProcessLimits.turnNanoseconds)
    if hasWoken, standing(of: slot) != .ordinary {
      wait = min(wait, ProcessLimits.burstNanoseconds &- turns[slot.index].burstNanoseconds)
    }
    if let deadline = earliestDeadlineNanoseconds { wait = min(wait, deadline > now ? deadline &- now : 0) }
    return now &+ max(wait, ProcessLimits.shortestRunNanoseconds)
  }
}
