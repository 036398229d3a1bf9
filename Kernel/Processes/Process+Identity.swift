// Changing who a process is: setuid(2), setreuid(2), setresuid(2) and their like, setgroups(2).
//
// Invariant: credentials are shared and never changed in place: a change goes to a copy that takes their place. The caller
// has made sure of the heap's reserve.

public import ABI
import Files
import Memory

extension Process {
  /// Changes a copy of the credentials and makes it the process's own.
  private func change(_ body: (Credentials) -> Void) {
    let copy = credentials.copy()
    body(copy)
    if copy.user != credentials.user || copy.effectiveUser != credentials.effectiveUser
      || copy.savedUser != credentials.savedUser || copy.group != credentials.group
      || copy.effectiveGroup != credentials.effectiveGroup || copy.savedGroup != credentials.savedGroup
    {
      hasChangedIdentity = true
    }
    if copy.user != credentials.user {
      // The process is the new user's now, with the records and tables of its memory and its descriptors; what was reserved
      // before, and the objects that exist, stay charged to the old one.
      credentials.account.processCount -= 1
      copy.account.processCount += 1
      let records = (threadCount - 1) * KernelMemoryCost.thread + queuedSignalCount * QueuedSignal.byteCount
      credentials.account.countKernelMemory(-records)
      copy.account.countKernelMemory(records)
      addressSpace?.account = copy.account
      files?.account = copy.account
    }
    credentials = copy
    // Who changes is who runs.
    addressSpace?.system.setCaller(isPrivileged: copy.isSuperuser, user: copy.user)
  }

  /// What execve(2) does: the saved user and group become the effective ones (POSIX; execve(2)).
  func saveIdentity() {
    let old = credentials
    guard old.savedUser != old.effectiveUser || old.savedGroup != old.effectiveGroup else { return }
    let copy = old.copy()
    copy.savedUser = old.effectiveUser
    copy.savedGroup = old.effectiveGroup
    credentials = copy
  }

  /// setgroups(2). The caller has checked the privilege. Throws ENOMEM.
  public func setGroups(_ groups: Span<UInt32>) throws(Errno) {
    let copy = credentials.copy()
    try copy.setGroups(groups)
    hasChangedIdentity = true
    credentials = copy
  }

  /// setuid(2): all three users. EPERM unless it is the real or effective one already, or the caller is the superuser.
  public func setUser(_ user: UInt32) throws(Errno) {
    guard user == credentials.user || user == credentials.effectiveUser || credentials.isSuperuser else { throw .eperm }
    change {
      $0.user = user
      $0.effectiveUser = user
      $0.savedUser = user
    }
  }

  /// seteuid(2). EPERM unless it is the real or saved one, or the caller is the superuser.
  public func setEffectiveUser(_ user: UInt32) throws(Errno) {
    guard user == credentials.user || user == credentials.savedUser || credentials.isSuperuser else { throw .eperm }
    change { $0.effectiveUser = user }
  }

  /// setreuid(2); nil leaves a user as it is.
  public func setUsers(real: UInt32?, effective: UInt32?) throws(Errno) {
    let old = credentials
    let realIsFine = real == nil || real == old.user || real == old.savedUser
    let effectiveIsFine =
      effective == nil || effective == old.effectiveUser || effective == old.user || effective == old.savedUser
    guard realIsFine && effectiveIsFine || old.isSuperuser else { throw .eperm }
    change {
      if let effective { $0.effectiveUser = effective }
      if let real { $0.user = real }
      if real != nil || $0.effectiveUser != $0.user { $0.savedUser = $0.effectiveUser }
    }
  }

  /// setresuid(2); nil leaves a user as it is.
  public func setUsers(real: UInt32?, effective: UInt32?, saved: UInt32?) throws(Errno) {
    let old = credentials
    func isFine(_ user: UInt32?) -> Bool {
      user == nil || user == old.user || user == old.effectiveUser || user == old.savedUser
    }
    guard isFine(real) && isFine(effective) && isFine(saved) || old.isSuperuser else { throw .eperm }
    change {
      if let effective { $0.effectiveUser = effective }
      if let real { $0.user = real }
      if let saved { $0.savedUser = saved }
    }
  }

  /// setgid(2): all three groups. EPERM unless it is the real or effective one already, or the caller is the superuser.
  public func setGroup(_ group: UInt32) throws(Errno) {
    guard group == credentials.group || group == credentials.effectiveGroup || credentials.isSuperuser else {
      throw .eperm
    }
    change {
      $0.group = group
      $0.effectiveGroup = group
      $0.savedGroup = group
    }
  }

  /// setegid(2). EPERM unless it is the real or saved one, or the caller is the superuser.
  public func setEffectiveGroup(_ group: UInt32) throws(Errno) {
    guard group == credentials.group || group == credentials.savedGroup || credentials.isSuperuser else { throw .eperm }
    change { $0.effectiveGroup = group }
  }

  /// setregid(2); nil leaves a group as it is.
  public func setGroups(real: UInt32?, effective: UInt32?) throws(Errno) {
    let old = credentials
    let realIsFine = real == nil || real == old.group || real == old.savedGroup
    let effectiveIsFine =
      effective == nil || effective == old.effectiveGroup || effective == old.group || effective == old.savedGroup
    guard realIsFine && effectiveIsFine || old.isSuperuser else { throw .eperm }
    change {
      if let effective { $0.effectiveGroup = effective }
      if let real { $0.group = real }
      if real != nil || $0.effectiveGroup != $0.group { $0.savedGroup = $0.effectiveGroup }
    }
  }

  /// setresgid(2); nil leaves a group as it is.
  public func setGroups(real: UInt32?, effective: UInt32?, saved: UInt32?) throws(Errno) {
    let old = credentials
    func isFine(_ group: UInt32?) -> Bool {
      group == nil || group == old.group || group == old.effectiveGroup || group == old.savedGroup
    }
    guard isFine(real) && isFine(effective) && isFine(saved) || old.isSuperuser else { throw .eperm }
    change {
      if let effective { $0.effectiveGroup = effective }
      if let real { $0.group = real }
      if let saved { $0.savedGroup = saved }
    }
  }
}
