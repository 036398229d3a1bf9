// Messages of sockets as statements of a test: what is sent with their bytes, and what arrives.

import ABI

/// What a recvmsg(2) gave.
struct ReceivedMessage: Equatable {
  var bytes: [UInt8] = []
  var control: [UInt8] = []
  var flags: UInt32 = 0
}

extension TestKernel {
  private static let header = TestKernel.data + 0xA00
  private static let piece = TestKernel.data + 0xA40
  private static let bytes = TestKernel.data + 0xA80
  private static let control = TestKernel.data + 0x2000

  /// Makes a pair of sockets.
  func socketPair(_ type: SocketType, flags: UInt32 = SocketTypeFlags.nonBlocking) -> (UInt64, UInt64) {
    call(.socketpair, 1, UInt64(UInt32(type.rawValue) | flags), 0, TestKernel.data + 0x9F0)
    let word = loadWord(TestKernel.data + 0x9F0)
    return (word & 0xFFFF_FFFF, word >> 32)
  }

  /// A struct sockaddr_un in memory; gives its address and length.
  func socketAddress(_ path: String, at address: UInt64 = TestKernel.data + 0x980) -> (UInt64, UInt64) {
    store([0, 1] + Array(path.utf8), at: address)
    return (address, UInt64(2 + path.utf8.count))
  }

  @discardableResult
  func setOption(_ descriptor: UInt64, level: UInt64 = 0xFFFF, _ option: UInt64, _ value: UInt32) -> CallResult? {
    storeWord(UInt64(value), at: TestKernel.data + 0x9F8)
    return call(.setsockopt, descriptor, level, option, TestKernel.data + 0x9F8, 4)
  }

  func option(_ descriptor: UInt64, level: UInt64 = 0xFFFF, _ option: UInt64) -> UInt64? {
    storeWord(4, at: TestKernel.data + 0x9F0)
    guard call(.getsockopt, descriptor, level, option, TestKernel.data + 0x9F8, TestKernel.data + 0x9F0)?.value == 0
    else { return nil }
    return loadWord(TestKernel.data + 0x9F8) & 0xFFFF_FFFF
  }

  private func storeHeader(byteCount: Int, _ control: (address: UInt64, byteCount: Int)) {
    storeWord(Self.bytes, at: Self.piece)
    storeWord(UInt64(byteCount), at: Self.piece + 8)
    let words = [0, 0, Self.piece, 1, control.address, UInt64(control.byteCount)]
    for (index, word) in words.enumerated() { storeWord(word, at: Self.header + UInt64(8 * index)) }
  }

  /// sendmsg(2).
  @discardableResult
  func sendMessage(
    _ descriptor: UInt64, _ bytes: [UInt8] = [1], control: [UInt8] = [], flags: UInt64 = 0
  ) -> CallResult? {
    store(bytes, at: Self.bytes)
    store(control, at: Self.control)
    storeHeader(byteCount: bytes.count, control.isEmpty ? (0, 0) : (Self.control, control.count))
    return call(.sendmsg, descriptor, Self.header, flags)
  }

  /// recvmsg(2) with so much room; nil when it fails.
  func receiveMessage(
    _ descriptor: UInt64, _ room: Int = 100, controlRoom: Int = 1024, flags: UInt64 = 0
  ) -> ReceivedMessage? {
    storeHeader(byteCount: room, (Self.control, controlRoom))
    guard let result = call(.recvmsg, descriptor, Self.header, flags), !result.failed else { return nil }
    let count = result.integer
    var message = ReceivedMessage()
    let lengths = loadWord(Self.header + 40)
    message.flags = UInt32(truncatingIfNeeded: lengths >> 32)
    message.bytes = load(Self.bytes, count) ?? []
    message.control = load(Self.control, Int(lengths & 0xFFFF_FFFF)) ?? []
    return message
  }

  /// A control message.
  static func controlMessage(_ type: UInt32, _ payload: [UInt8] = [], length: Int? = nil) -> [UInt8] {
    var bytes = words([UInt32(length ?? 16 + payload.count), 0xFFFF, type, 0]) + payload
    while bytes.count % 8 != 0 { bytes.append(0) }
    return bytes
  }

  /// Words as bytes.
  static func words(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }
}
