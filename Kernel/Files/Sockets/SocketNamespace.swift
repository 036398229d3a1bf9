// The names that sockets are bound to (spec sockets.md section 3.3): nodes in the few directories in which some can be made.
//
// A node stays when its socket is closed; the socket stays connected to whoever it is when the node goes.
//
// Invariants
// - A node is in the bucket of its directory and name. The namespace owns nodes; `socket` names the one that is bound to it, whose
//   `node` names this one.
// - A node counts as kernel memory of whoever made it.

import ABI
import Memory
import Primitives

/// The directories in which sockets can be bound.
enum SocketDirectory: UInt8 {
  /// /tmp
  case temporary
  /// /var/run
  case runtime

  /// Who may make nodes there.
  var ownership: Ownership {
    switch self {
    case .temporary: Ownership(user: 0, group: 0, mode: FileMode(rawValue: 0o777))
    case .runtime: Ownership(user: 0, group: 0, mode: FileMode(rawValue: 0o755))
    }
  }

  /// Whether only owners remove nodes (S_ISTXT).
  var isSticky: Bool { self == .temporary }
}

/// A node.
final class SocketNode: Nameable {
  fileprivate(set) var directory: SocketDirectory
  private var bytes = [255 of UInt8](repeating: 0)
  private(set) var nameByteCount = 0
  fileprivate private(set) var hash: UInt32
  var ownership: Ownership
  let inode: UInt64
  let birthNanoseconds: UInt64
  /// When its name, mode or owner changed last.
  var changeNanoseconds: UInt64
  fileprivate let account: UserAccount
  var socket = BackReference<Socket>()
  fileprivate var next = HeldReference<SocketNode>()

  fileprivate init(
    _ directory: SocketDirectory, _ name: Span<UInt8>, _ hash: UInt32, _ ownership: Ownership, inode: UInt64,
    _ nanoseconds: UInt64, _ account: UserAccount
  ) {
    self.directory = directory
    self.hash = hash
    self.ownership = ownership
    self.inode = inode
    birthNanoseconds = nanoseconds
    changeNanoseconds = nanoseconds
    self.account = account
    nameByteCount = name.count
    for index in name.indices { bytes[index] = name[index] }
    account.countKernelMemory(SocketNode.kernelByteCount)
  }

  deinit { account.countKernelMemory(-SocketNode.kernelByteCount) }

  /// What it takes of the kernel's memory.
  static let kernelByteCount = 384

  /// Gives it a name of at most 255 bytes.
  fileprivate func setName(_ name: Span<UInt8>, _ hash: UInt32) {
    precondition(name.count <= bytes.count)
    nameByteCount = name.count
    self.hash = hash
    for index in name.indices { bytes[index] = name[index] }
  }

  fileprivate func isNamed(_ name: Span<UInt8>, in directory: SocketDirectory) -> Bool {
    guard self.directory == directory, nameByteCount == name.count else { return false }
    for index in name.indices where bytes[index] != name[index] { return false }
    return true
  }

  /// Counts what it takes for an inspection.
  func inspect(_ memory: inout MemoryInspector) {
    memory.count(self)
    memory.count(kernelByteCount: SocketNode.kernelByteCount, of: account)
  }
}

/// All nodes.
struct SocketNamespace: ~Copyable {
  private var buckets = [HeldReference<SocketNode>](repeating: HeldReference(), count: SocketNamespace.bucketCount)
  private static let bucketCount = 1024
  /// Nodes.
  private(set) var count = 0

  private static func hash(_ directory: SocketDirectory, _ name: Span<UInt8>) -> UInt32 {
    var hash: UInt32 = 2_166_136_261 ^ UInt32(directory.rawValue)
    for index in name.indices { hash = (hash ^ UInt32(name[index])) &* 16_777_619 }
    return hash ^ hash >> 15
  }

  private static func bucket(_ hash: UInt32) -> Int { Int(hash) & (bucketCount - 1) }

  /// The node with a name.
  func find(_ directory: SocketDirectory, _ name: Span<UInt8>) -> SocketNode? {
    let hash = SocketNamespace.hash(directory, name)
    var place = buckets[SocketNamespace.bucket(hash)].borrowed
    while let node = place.instance {
      if node.hash == hash && node.isNamed(name, in: directory) { return node }
      place = node.next.borrowed
    }
    return nil
  }

  /// Makes a node with a name that there is not.
  mutating func make(
    _ directory: SocketDirectory, _ name: Span<UInt8>, _ ownership: Ownership, inode: UInt64, _ nanoseconds: UInt64,
    _ account: UserAccount
  ) -> SocketNode {
    let hash = SocketNamespace.hash(directory, name)
    let node = SocketNode(directory, name, hash, ownership, inode: inode, nanoseconds, account)
    enter(node)
    count += 1
    return node
  }

  private mutating func enter(_ node: SocketNode) {
    let bucket = SocketNamespace.bucket(node.hash)
    node.next = buckets[bucket].move()
    buckets[bucket].fill(node)
  }

  /// Takes a node out of its bucket.
  private mutating func take(_ node: SocketNode) {
    let bucket = SocketNamespace.bucket(node.hash)
    if buckets[bucket].borrowed == BackReference(node) {
      let removed = buckets[bucket].take()
      buckets[bucket] = node.next.move()
      _ = consume removed
    } else {
      var place = buckets[bucket].borrowed
      while let before = place.instance {
        place = before.next.borrowed
        guard place == BackReference(node) else { continue }
        let removed = before.next.take()
        before.next = node.next.move()
        _ = consume removed
        break
      }
    }
  }

  /// Gives a node another name, which there is not.
  mutating func rename(_ node: SocketNode, to directory: SocketDirectory, _ name: Span<UInt8>, _ nanoseconds: UInt64) {
    take(node)
    node.directory = directory
    node.setName(name, SocketNamespace.hash(directory, name))
    node.changeNanoseconds = nanoseconds
    enter(node)
  }

  /// Removes a node.
  mutating func remove(_ node: SocketNode) {
    take(node)
    count -= 1
    node.socket.instance?.node = BackReference()
    node.socket = BackReference()
  }

  /// Removes nodes until `budget` is used up; whether none is left.
  mutating func removeAll(budget: inout Int) -> Bool {
    for bucket in buckets.indices {
      while let node = buckets[bucket].borrowed.instance {
        if budget <= 0 { return false }
        budget -= 1
        remove(node)
      }
    }
    return true
  }

  /// Calls `body` with every node.
  func forEach(_ body: (SocketNode) -> Void) {
    for bucket in buckets.indices {
      var place = buckets[bucket].borrowed
      while let node = place.instance {
        body(node)
        place = node.next.borrowed
      }
    }
  }
}
