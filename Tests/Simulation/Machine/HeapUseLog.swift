// What the kernels of this process were seen to take from the heap, all machines together: for the table in
// Documentation/HeapBounds.md.

import Foundation
import Primitives
import SystemCalls

/// The largest heap use of every kind of event.
public enum HeapUseLog {
  private struct Entry {
    var order: Int
    var count = 0
    var largest = HeapAmount.none
    var bound = HeapAmount.none
  }

  /// A lock of the C library, because ThreadSanitizer does not see those of the `Synchronization` module.
  private static let lock = NSLock()
  // SAFETY: only used while `lock` is held.
  nonisolated(unsafe) private static var entries: [String: Entry] = [:]

  /// Adds what one machine saw.
  static func add(_ monitor: EventMonitor) {
    lock.withLock {
      monitor.forEachKind { use in
        var entry = unsafe entries[use.name] ?? Entry(order: entries.count)
        entry.count += use.count
        entry.largest = entry.largest.maximum(use.largest)
        entry.bound = use.bound
        unsafe entries[use.name] = entry
      }
    }
  }

  /// One line for each kind of event, in the form in which the booted kernel writes them.
  public static var lines: [String] {
    lock.withLock {
      unsafe entries.sorted { $0.value.order < $1.value.order }.map { name, entry in
        "heap use of \(name): \(entry.largest.objectCount) objects, \(entry.largest.byteCount) bytes of "
          + "\(entry.bound.objectCount) objects, \(entry.bound.byteCount) bytes; events: \(entry.count)"
      }
    }
  }
}
