// Calls that reach single words of user memory, in the middle of what they do.

import ABI
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Runs a body that reaches words of user memory. Where one is not there yet the call begins anew when it is: what the body has
  /// done by then must be such that it can be done again.
  @inline(__always)
  func withWords(_ body: () throws(WordFailure) -> Answer) throws(Errno) -> Answer {
    do throws(WordFailure) {
      return try body()
    } catch {
      return try begin(anewAfter: error)
    }
  }

  @inline(never)
  private func begin(anewAfter failure: WordFailure) throws(Errno) -> Answer {
    switch failure {
    case .error(let error): throw error
    case .wait(let awaited):
      thread.wanted = awaited
      return .restart
    }
  }

  /// Runs a body that can only be refused, where words can fail too.
  @inline(__always)
  func refusing<Value>(_ body: () throws(Errno) -> Value) throws(WordFailure) -> Value {
    do throws(Errno) {
      return try body()
    } catch {
      throw .error(error)
    }
  }
}
