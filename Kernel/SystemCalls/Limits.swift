// Every limit of this module by name.

/// Limits of single calls.
enum SystemCallLimits {
  /// Groups in setgroups(2), the effective one included: what fits into a call buffer.
  static let groupCount = 256
}
