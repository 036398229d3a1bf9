// What comes with a message besides its bytes (spec sockets.md section 8).

import ABI
import Primitives

extension Socket {
  /// Makes what comes with a message of what the caller of sendmsg(2) gave, and of what the receiver wants to know of the sender
  /// (`wantsCredentials`); nil when nothing does.
  ///
  /// Throws EINVAL for what is no control message, or one of a kind that cannot be sent.
  func makeControl(_ input: SocketControlInput?, for receiver: Socket) throws(Errno) -> SocketControl? {
    guard let input else { return nil }
    var offset = 0
    while input.byteCount - offset >= ControlMessageHeader.byteCount {
      let byteCount = Int(input.word(at: offset))
      guard input.word(at: offset + 4) == UInt32(SocketLevel.socket), byteCount >= ControlMessageHeader.payloadOffset,
        byteCount <= input.byteCount - offset
      else { throw .einval }
      // No kind of control message can be sent yet.
      throw .einval
    }
    guard offset >= input.byteCount else { throw .einval }
    offset = 0
    return nil
  }
}
