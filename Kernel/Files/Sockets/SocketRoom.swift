// How much sockets may queue (spec sockets.md section 5): FreeBSD's rule of 2024, in this place alone.
//
// A stream or a sequenced packet is limited by the sender: it is stopped when what it has queued at the other end has reached
// SO_SNDBUF, in bytes or in what they cost, and goes on when both are below. A datagram has to fit as a whole: into the
// sender's SO_SNDBUF if that is connected, otherwise into the receiver's SO_RCVBUF.
//
// (FreeBSD 15.0 counts room in the receiver instead: then `isStopped` and `admits` would look there.)

import ABI

/// The rule.
enum SocketRoom {
  /// What a part of control of so many bytes costs.
  static func costOfControl(_ byteCount: Int) -> Int { byteCount > 224 ? 2304 : 256 }
  /// What the name of a sender costs, and how many bytes it counts as when the sender has none.
  static let costOfName = 256
  static let unnamedByteCount = 16

  /// What the data of a record cost, of which the sender needs so many bytes more.
  @inline(__always)
  static func costOfData(_ byteCount: Int, _ type: SocketType) -> Int {
    if type == .stream { return byteCount == 0 ? 0 : cost(ofNeed: byteCount) }
    return byteCount == 0 ? 256 : cost(ofNeed: byteCount + 76)
  }

  @inline(__always)
  private static func cost(ofNeed need: Int) -> Int {
    if need <= 160 { return 256 }
    if need <= 2048 { return 2304 }
    let clusters = (need - 2048 + 4095) / 4096
    let rest = need - clusters * 4096
    return clusters * 4352 + (rest > 160 ? 2304 : rest > 0 ? 256 : 0)
  }

  /// What the records of a buffer of so many bytes may cost.
  @inline(__always)
  static func largestCost(_ limit: UInt64, _ services: SocketServices) -> UInt64 {
    min(limit &* SocketServices.costFactor, services.maximumBufferByteCount)
  }

  /// Whether a sender of a stream or of packets is stopped by what it has queued.
  @inline(__always)
  static func isFull(_ queue: SocketQueue, limit: UInt64, _ services: SocketServices) -> Bool {
    UInt64(queue.byteCount) >= limit || UInt64(queue.cost) >= largestCost(limit, services)
  }

  /// Whether a datagram of so many bytes, and of that cost, fits into a queue.
  @inline(__always)
  static func admits(
    _ byteCount: Int, cost: Int, into queue: SocketQueue, limit: UInt64, _ services: SocketServices
  ) -> Bool {
    UInt64(queue.byteCount + byteCount) <= limit && UInt64(queue.cost + cost) <= largestCost(limit, services)
  }
}
