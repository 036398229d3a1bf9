// Every limit of this module by name.

/// Limits of single calls.
enum SystemCallLimits {
  /// Groups in setgroups(2), the effective one included: what fits into a call buffer.
  static let groupCount = 256
  /// Pieces, each a call buffer, that getrandom(2) hands out before others have a turn.
  static let randomPiecesPerStep = 16
  /// Bytes of kern.arandom at a time.
  static let randomNodeByteCount = 256
  /// Frames that calls which can refuse leave to those that can not …
  static let frameHeadroom = 128
  /// … and on small machines one in so many of all frames.
  static let framesPerHeadroomFrame = 64
}
