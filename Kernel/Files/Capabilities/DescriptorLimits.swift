// What a descriptor is limited to (cap_rights_limit(2), cap_fcntls_limit(2), cap_ioctls_limit(2)).
//
// Invariants
// - Limits do not change: to limit a descriptor further is to give it others. Descriptors that were duplicated, inherited or
//   received share them.
// - Limits without the right to fcntl(2) have none of its commands, those without the right to ioctl(2) no request, whatever
//   their list says.

public import ABI
public import Memory
public import Primitives

/// The limits of a descriptor; one that has none may be used for everything.
public final class DescriptorLimits: Nameable {
  private let fileServicesReference: BackReference<FileServices>
  private let account: UserAccount
  /// What it may be used for.
  public let rights: CapabilityRights
  /// The commands of fcntl(2) that the right to it is needed for.
  public let fileCommands: FileCommandRights
  /// The requests of ioctl(2); nil is all of them.
  let requests: RequestList?
  /// The inspection that visited it last.
  var inspection: UInt32 = 0

  private init(
    _ services: FileServices, _ account: UserAccount, _ rights: CapabilityRights, _ fileCommands: FileCommandRights,
    _ requests: RequestList?
  ) {
    fileServicesReference = BackReference(services)
    self.account = account
    self.rights = rights
    self.fileCommands = rights.contains(.fileControl) ? fileCommands : []
    self.requests = requests
    services.liveLimitsCount += 1
    account.countKernelMemory(KernelMemoryCost.descriptorLimits)
  }

  deinit {
    account.countKernelMemory(-KernelMemoryCost.descriptorLimits)
    fileServicesReference.borrow { $0.liveLimitsCount -= 1 }
  }

  /// Who pays for it.
  var payer: UserAccount { account }

  /// Whether a request of ioctl(2) may be made, for which there is the right.
  func allows(_ request: InputOutputControl) -> Bool { requests?.contains(request.rawValue) ?? true }

  /// How many requests may be made; nil is all of them.
  public var requestCount: Int? { rights.contains(.inputOutputControl) ? requests?.count : 0 }

  /// One of them.
  public func request(at index: Int) -> UInt32 { requests?[index] ?? 0 }

  // MARK: Making them

  /// The limits of a descriptor that had others, if any, with fewer rights.
  ///
  /// Throws ENOTCAPABLE for a right that it has not.
  static func narrow(
    _ present: DescriptorLimits?, to rights: CapabilityRights, _ services: FileServices, _ account: UserAccount
  ) throws(Errno) -> DescriptorLimits {
    guard (present?.rights ?? .all).isSuperset(of: rights) else { throw .enotcapable }
    return DescriptorLimits(services, account, rights, present?.fileCommands ?? .all, present?.requests)
  }

  /// The same with fewer commands of fcntl(2).
  ///
  /// Throws ENOTCAPABLE for a command that it has not.
  static func narrow(
    _ present: DescriptorLimits?, to commands: FileCommandRights, _ services: FileServices, _ account: UserAccount
  ) throws(Errno) -> DescriptorLimits {
    guard (present?.fileCommands ?? .all).isSuperset(of: commands) else { throw .enotcapable }
    return DescriptorLimits(services, account, present?.rights ?? .all, commands, present?.requests)
  }

  /// The same with fewer requests of ioctl(2).
  ///
  /// Throws ENOTCAPABLE for a request that it has not.
  static func narrow(
    _ present: DescriptorLimits?, to requests: RequestList, _ services: FileServices, _ account: UserAccount
  ) throws(Errno) -> DescriptorLimits {
    if let present, let count = present.requestCount {
      guard requests.count <= count else { throw .enotcapable }
      for index in 0..<requests.count where !(present.requests?.contains(requests[index]) ?? true) {
        throw .enotcapable
      }
    }
    return DescriptorLimits(
      services, account, present?.rights ?? .all, present?.fileCommands ?? .all, requests)
  }
}

/// Requests of ioctl(2) that a descriptor may be used for; limits share it that were made of one another.
public final class RequestList: Nameable {
  /// Who pays for it.
  let payer: UserAccount
  private var requests = [256 of UInt32](repeating: 0)
  /// Requests in it.
  public private(set) var count = 0
  /// The inspection that visited it last.
  var inspection: UInt32 = 0

  /// The most requests that a list can have (IOCTLS_MAX_COUNT).
  public static var capacity: Int { 256 }

  /// An empty list.
  public init(_ payer: UserAccount) {
    self.payer = payer
    payer.countKernelMemory(KernelMemoryCost.requestList)
  }

  deinit { payer.countKernelMemory(-KernelMemoryCost.requestList) }

  /// Adds a request, for which there is room.
  public func append(_ request: UInt32) {
    requests[count] = request
    count += 1
  }

  /// A request.
  public subscript(index: Int) -> UInt32 { requests[index] }

  /// Whether a request is in the list.
  func contains(_ request: UInt32) -> Bool {
    for index in 0..<count where requests[index] == request { return true }
    return false
  }
}

/// The limits of the descriptors of a leaf; only leaves with a limited descriptor have one.
struct LimitLeaf: BitwiseCopyable {
  /// Descriptors with limits.
  var count: UInt32 = 0
  var limits = [64 of HeldReference<DescriptorLimits>](repeating: HeldReference())
}
