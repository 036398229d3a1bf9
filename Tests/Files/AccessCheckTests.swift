// Who may do what (spec shm.md, 2.1, 3.9 and 3.10), and credentials.
import ABI
import Memory
import Primitives
import Testing

@testable import Files

@Suite("Access check")
struct AccessCheckTests {
  @Test
  func `exactly one triplet counts, for every mode and every request`() throws {
    try withMachine { machine in
      let owner = Credentials(machine.files, user: 10, group: 20)
      let member = Credentials(machine.files, user: 11, group: 20)
      let supplementary = Credentials(machine.files, user: 12, group: 21)
      try supplementary.setGroups([21, 5, 20].span)
      let other = Credentials(machine.files, user: 13, group: 22)
      let superuser = Credentials(machine.files)
      for mode in 0...0o777 as ClosedRange<UInt16> {
        let ownership = Ownership(user: 10, group: 20, mode: FileMode(rawValue: mode))
        for bits in 0...3 as ClosedRange<UInt8> {
          let request = AccessRequest(rawValue: bits << 1)
          for (caller, shift) in [(owner, 6), (member, 3), (supplementary, 3), (other, 0)] {
            let granted = mode >> UInt16(shift) & 6
            let expected: Errno? = granted & UInt16(bits << 1) == UInt16(bits << 1) ? nil : .eacces
            #expect(error { () throws(Errno) in try ownership.check(request, by: caller) } == expected)
          }
          #expect(error { () throws(Errno) in try ownership.check(request, by: superuser) } == nil)
        }
      }
      #expect(machine.leakedFrames() == 0)
    }
  }

  @Test
  func `only the owner and the superuser administer, others get EPERM`() throws {
    try withMachine { machine in
      let ownership = Ownership(user: 10, group: 20, mode: .accessPermissions)
      let caller = Credentials(machine.files, user: 10, group: 1)
      #expect(error { () throws(Errno) in try ownership.check(.administer, by: caller) } == nil)
      caller.effectiveUser = 11
      caller.effectiveGroup = 20
      #expect(error { () throws(Errno) in try ownership.check(.administer, by: caller) } == .eperm)
      caller.effectiveUser = 0
      #expect(error { () throws(Errno) in try ownership.check(.administer, by: caller) } == nil)
    }
  }

  @Test
  func `the effective identifiers count, not the real ones`() throws {
    try withMachine { machine in
      let ownership = Ownership(user: 10, group: 20, mode: FileMode(rawValue: 0o600))
      let caller = Credentials(machine.files, user: 10, group: 20)
      caller.effectiveUser = 11
      #expect(error { () throws(Errno) in try ownership.check(.read, by: caller) } == .eacces)
    }
  }

  @Test
  func `setgroups: the first becomes the effective group, 1023 fit, and a copy shares the list`() throws {
    try withMachine { machine in
      let free = machine.system.freeFrameCount
      var credentials: Credentials? = Credentials(machine.files, user: 1, group: 2)
      let many = (0..<1023).map { UInt32($0 * 3 + 1) }
      try credentials!.setGroups(many.span)
      #expect(machine.system.freeFrameCount == free - 1)
      #expect(credentials!.groupCount == 1023)
      #expect((0..<1023).map { credentials!.group(at: $0) } == many)
      #expect(credentials!.effectiveGroup == 1)
      for group in many { #expect(credentials!.isMember(of: group)) }
      #expect(!credentials!.isMember(of: 2))
      var copy: Credentials? = credentials!.copy()
      copy!.effectiveUser = 9
      credentials = nil
      #expect(copy!.group(at: 1022) == many[1022] && copy!.effectiveUser == 9 && copy!.user == 1)
      try copy!.setGroups([UInt32]().span)
      #expect(copy!.groupCount == 1 && copy!.effectiveGroup == 1)
      copy = nil
      #expect(machine.system.freeFrameCount == free)
      #expect(machine.files.counts.credentials == 1 && machine.files.counts.groupLists == 0)
      // No frame for the list: nothing has changed.
      let last = Credentials(machine.files, user: 1, group: 2)
      machine.system.services.failures.fail(.frame, number: 1)
      #expect(error { () throws(Errno) in try last.setGroups(many.span) } == .enomem)
      machine.system.services.failures.disarm()
      #expect(last.groupCount == 1 && last.effectiveGroup == 2 && machine.files.counts.groupLists == 0)
    }
  }
}
