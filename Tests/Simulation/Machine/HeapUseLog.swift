// What the kernels of this process were seen to take from the heap, all machines together: for the table in
// Documentation/HeapBounds.md.

import Memory
import Synchronization
import SystemCalls

/// The largest heap use of every kind of event.
public enum HeapUseLog {
  private struct Entry {
    var order: Int
    var count = 0
    var largest = HeapAmount.none
    var bound = HeapAmount.none
  }

  private static let entries = Mutex<[String: Entry]>([:])

  /// Adds what one machine saw.
  static func add(_ monitor: EventMonitor) {
    entries.withLock { entries in
      monitor.forEachKind { use in
        var entry = entries[use.name] ?? Entry(order: entries.count)
        entry.count += use.count
        entry.largest = entry.largest.maximum(use.largest)
        entry.bound = use.bound
        entries[use.name] = entry
      }
    }
  }

  /// One line for each kind of event, in the form in which the booted kernel writes them.
  public static var lines: [String] {
    entries.withLock { entries in
      entries.sorted { $0.value.order < $1.value.order }.map { name, entry in
        "heap use of \(name): \(entry.largest.objectCount) objects, \(entry.largest.byteCount) bytes of "
          + "\(entry.bound.objectCount) objects, \(entry.bound.byteCount) bytes; events: \(entry.count)"
      }
    }
  }
}
