// What ends a host program in which the kernel uses what is gone. The booted kernel doesn't look: there the checks would cost
// something at every access, and what they find is found here, where the whole kernel runs as well.

#if !hasFeature(Embedded)
  /// Ends the program, and says why however it was optimised.
  public func reportMisuse(_ what: StaticString) -> Never { fatalError("misuse: \(what)") }
#endif
