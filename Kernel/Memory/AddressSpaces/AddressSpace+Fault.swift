// Page faults (spec vm.md section 6; shm.md section 3.12).
public import ABI
public import Primitives

/// The result of a fault.
public enum FaultOutcome: Sendable {
  /// The access can be tried again.
  case resolved
  /// Park the thread, then resolve the fault again.
  case wait(Wait)
  /// The access is wrong: the signal and its code.
  case signal(Signal, code: SignalCode)
}

extension AddressSpace {
  /// Makes an access possible, or says why it is not.
  public func resolveFault(at address: VirtualAddress, _ access: AccessType) -> FaultOutcome {
    // What is replaced in steps is mapped before and after.
    if let wait = editWait { return .wait(wait) }
    return resolve(at: address, access)
  }

  /// The same for the thread that changes the map.
  @inline(__always)
  func resolve(at address: VirtualAddress, _ access: AccessType) -> FaultOutcome {
    guard address.raw >= UserSpace.start, address.raw < UserSpace.end, let handle = find(address.raw) else {
      return .signal(.sigsegv, code: .segmentNotMapped)
    }
    let entries = system.entries
    let protection = entries[handle].protection
    guard protection.contains(access.protection) else { return resolveFault(in: handle, at: address, access) }
    // Every store and load of the kernel for a program comes here too, many in one event: so this is where the heap's
    // reserve is looked after, and not only where an event begins.
    if entries[handle].needsCopy {
      if access == .write {
        guard system.hasHeapReserve else { return .wait(.frames) }
        makePrivate(handle)
      }
    } else if entries[handle].objectReference.isEmpty {
      guard system.hasHeapReserve else { return .wait(.frames) }
      makeObject(for: handle)
    }
    let object = entries[handle].objectReference
    precondition(!object.isEmpty, "entry without object")
    let page = address.raw & ~Page.offsetMask
    let readable = protection.subtracting(.write)
    let mayWrite = !entries[handle].needsCopy
    system.counters.faults &+= 1
    if object.borrow({ $0.hasLargePages }), let large = object.instance {
      return resolveLarge(handle, large, at: page, access)
    }
    // The entry keeps its object: nothing on the way changes the map.
    let index = entries[handle].index(of: page)
    let isWired = entries[handle].wiring != .none
    switch object.borrow({ locate(index, in: $0, access, entries[handle].wiring) }) {
    case .own(let frame):
      let allowed = mayWrite ? protection : readable
      guard system.isInFullBlock(frame) else { return enter(frame, at: page, allowed, access, isWired) }
      if let whole = object.instance, enterBlock(of: frame, whole, handle, at: page, allowed, access) {
        return .resolved
      }
      let outcome = enter(frame, at: page, allowed, access, isWired)
      if case .resolved = outcome { tables.promoteFull(page, frame, system) }
      return outcome
    case .backing(let frame): return enter(frame, at: page, readable, access, isWired)
    case .wait(let wait): return .wait(wait)
    case .outside: return .signal(.sigbus, code: .busObject)
    }
  }

  /// Enters a page into the page tables.
  private func enter(
    _ frame: FrameNumber, at page: UInt64, _ protection: Protection, _ access: AccessType, _ isWired: Bool
  ) -> FaultOutcome {
    if system.frames[frame].queue == .unswappable { system.noteUse(ofUnswappable: frame) }
    let isEntered = tables.enter(frame, at: page, allowing: protection, for: access, isWired: isWired, system)
    return isEntered ? .resolved : .wait(.frames)
  }

  /// A fault in an entry that does not allow the access: a stack may grow into its gap.
  @inline(never)
  private func resolveFault(
    in handle: Handle<MapEntry>, at address: VirtualAddress, _ access: AccessType
  ) -> FaultOutcome {
    if system.entries[handle].kind == .stackGap {
      switch growStack(into: handle, at: address.raw) {
      case .grown: return resolve(at: address, access)
      case .wait: return .wait(.frames)
      case .refused: break
      }
    }
    return .signal(.sigsegv, code: .segmentAccess)
  }

  /// Gives an entry without an object one of its own. The caller has looked at the heap's reserve right before.
  @inline(__always)
  func makeObject(for handle: Handle<MapEntry>) {
    system.counters.objectsMadeByFaults &+= 1
    let object = VMObject(system, .anonymous, pageCount: system.entries[handle].pageCount, account: account)
    object.isSeenOnce = true
    object.setColour(showing: 0, at: system.entries[handle].start)
    system.entries[handle].object = VMObjectReference(object)
    system.entries[handle].offset = 0
  }

  /// Gives an entry the object that its stores go to. The caller has looked at the heap's reserve right before.
  @inline(never)
  func ownObject(of handle: Handle<MapEntry>) {
    if system.entries[handle].needsCopy { makePrivate(handle) } else { makeObject(for: handle) }
  }

  /// Gives an entry that shares its object an object of its own, in front of the shared one.
  private func makePrivate(_ handle: Handle<MapEntry>) {
    let entries = system.entries
    if let object = entries[handle].objectOrNil {
      if object.kind == .anonymous && object.referenceCount == 1 {
        // Everybody else is gone: the object is this entry's alone.
        entries[handle].needsCopy = false
        object.isSeenOnce = true
        return
      }
      let shadow = VMObject(system, .anonymous, pageCount: entries[handle].pageCount, account: account)
      system.counters.objectsMadeByFaults &+= 1
      shadow.isSeenOnce = true
      shadow.setColour(showing: 0, at: entries[handle].start)
      let reference = VMObjectReference(shadow)
      if let source = entries[handle].copyReference() {
        shadow.attachBacking(source, offset: entries[handle].offset)
      }
      entries[handle].object = consume reference
      entries[handle].offset = 0
      // The object behind gets no more pages of its own: what it hides by now is not looked through any more. So the chain
      // does not grow with the children who keep each link of it alive.
      if object.mayShortenChain { system.teardown.append(object) }
      if object.allocatedPageCount == 0 && object.backing != nil { system.teardown.append(shadow) }
    }
    entries[handle].needsCopy = false
  }

  private enum Location {
    /// A page of the top object.
    case own(FrameNumber)
    /// A page of an object behind it: must not be stored to.
    case backing(FrameNumber)
    case wait(Wait)
    case outside
  }

  /// Finds the page at `topIndex` of a chain of objects, bringing it in, copying it or making it as the access demands.
  @inline(__always)
  private func locate(
    _ topIndex: UInt64, in top: VMObject, _ access: AccessType, _ wiring: EntryWiring
  ) -> Location {
    if let wait = top.waitForShrinking(topIndex) { return .wait(wait) }
    switch top.pages.lookup(topIndex, system.indexNodes) {
    case .resident(let frame):
      switch top.readyFrame(frame, system) {
      case .frame: return .own(frame)
      case .wait(let wait):
        system.counters.transitFaults &+= 1
        return .wait(wait)
      case .failed, .absent: return .outside
      }
    case .swapped(let block):
      switch top.pageIn(topIndex, block, system) {
      case .frame(let frame): return .own(frame)
      case .wait(let wait): return .wait(wait)
      case .failed, .absent: return .outside
      }
    case .empty:
      if topIndex >= top.pageCount {
        // A page that was wired when its object shrank is there still, as zeros (spec shm.md 2.4, step d).
        guard wiring == .wired else { return .outside }
        top.hasPagesBeyondEnd = true
      }
      if top.backing == nil { return top.kind == .file ? addOfFile(topIndex, top) : addZeroed(topIndex, top) }
      return locateBehind(topIndex, top, access)
    }
  }

  private func addZeroed(_ index: UInt64, _ object: VMObject) -> Location {
    guard let frame = object.addZeroedPage(at: index, system) else { return .wait(.frames) }
    system.counters.pagesZeroed &+= 1
    return .own(frame)
  }

  @inline(never)
  private func addOfFile(_ index: UInt64, _ object: VMObject) -> Location {
    guard let frame = object.addPageOfFile(at: index, system) else { return .wait(.frames) }
    return .own(frame)
  }

  private func locateBehind(_ topIndex: UInt64, _ top: VMObject, _ access: AccessType) -> Location {
    var object = top
    var index = topIndex
    while let next = object.backingObject {
      index += object.backingOffset
      object = next
      if let wait = object.waitForShrinking(index) { return .wait(wait) }
      var found: PageLookup
      switch object.pages.lookup(index, system.indexNodes) {
      case .resident(let frame): found = object.readyFrame(frame, system)
      case .swapped(let block): found = object.pageIn(index, block, system)
      case .empty:
        // Beyond the end of an object that owns swap there is nothing; without swap the walk goes on (shm.md 3.12).
        if index >= object.pageCount && (object.blockCount > 0 || object.kind == .file) { return .outside }
        found = .absent
        if object.kind == .file {
          guard let frame = object.addPageOfFile(at: index, system) else { return .wait(.frames) }
          found = .frame(frame)
        }
      }
      switch found {
      case .absent: continue
      case .wait(let wait): return .wait(wait)
      case .failed: return .outside
      case .frame(let frame):
        if access != .write { return .backing(frame) }
        return copy(frame, to: topIndex, top)
      }
    }
    return addZeroed(topIndex, top)
  }

  /// Copies a page of an object behind into the top one.
  private func copy(_ source: FrameNumber, to index: UInt64, _ top: VMObject) -> Location {
    // Whoever shares the top object must see the copy from now on. (Where many map the page this is tried again.)
    if top.referenceCount > 1 && !system.removeSomeMappings(of: source) { return .wait(.frames) }
    guard let frame = top.addFrame(at: index, system) else { return .wait(.frames) }
    system.physical.copy(source, to: frame)
    system.counters.pagesCopied &+= 1
    system.markDirty(frame)
    system.frames[source].flags.insert(.referenced)
    return .own(frame)
  }
}
