// Sums of times, of which the largest number stands for "never".

extension UInt64 {
  /// The sum, as far as it can be represented.
  @inlinable @inline(__always)
  public func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
