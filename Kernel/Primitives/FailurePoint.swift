// What can be made to fail: one name for each thing that can run out or break, as sysctl(3) and the kernel option `fail=`
// know it (`debug.fail_point.NAME`).

/// A place where something can fail.
public enum FailurePoint: UInt8, CaseIterable, BitwiseCopyable, Sendable {
  /// Taking a frame, whatever for.
  case frame
  /// Taking a frame for a page of an object.
  case pageFrame
  /// Taking a frame for a page table.
  case pageTable
  /// Taking a frame for the kernel itself: its heap, staged arguments, long lists of groups.
  case kernelFrame
  /// Filling the heap's reserve.
  case heapReserve
  /// A node of an object's index of pages.
  case indexNode
  /// A record of a page that is mapped more than once.
  case mappingRecord
  /// An entry of an address space's map.
  case mapEntry
  /// A record of a shared memory name.
  case nameRecord
  /// A node of a descriptor table.
  case descriptorNode
  /// The record of a thread.
  case threadRecord
  /// The record of a signal in a queue.
  case signalRecord
  /// The record of what a process has asked for when signals come.
  case signalActions
  /// A note of a queue of events.
  case eventNote
  /// What a poll(2) or select(2) that waits is remembered by.
  case pollWatch
  /// A piece of a socket's queue.
  case socketBuffer
  /// A place in the table of processes.
  case processSlot
  /// A further open file.
  case openFile
  /// Reserving swap for private memory or an object.
  case swapReservation
  /// A block of the swap device.
  case swapBlock
  /// A transfer of the swap device, in whatever direction.
  case transfer
  /// A read from the swap device.
  case transferRead
  /// A write to the swap device.
  case transferWrite

  /// Whether a page fault can meet it.
  var isMetByFaults: Bool {
    switch self {
    case .frame, .pageFrame, .pageTable, .kernelFrame, .heapReserve, .indexNode, .mappingRecord, .mapEntry: true
    default: false
    }
  }

  /// How many there are.
  static let count = 23

  /// The name, without `debug.fail_point.`.
  public var name: String {
    switch self {
    case .frame: "frame"
    case .pageFrame: "page_frame"
    case .pageTable: "page_table"
    case .kernelFrame: "kernel_frame"
    case .heapReserve: "heap_reserve"
    case .indexNode: "index_node"
    case .mappingRecord: "mapping_record"
    case .mapEntry: "map_entry"
    case .nameRecord: "name_record"
    case .descriptorNode: "descriptor_node"
    case .threadRecord: "thread_record"
    case .signalRecord: "signal_record"
    case .signalActions: "signal_actions"
    case .eventNote: "event_note"
    case .pollWatch: "poll_watch"
    case .socketBuffer: "socket_buffer"
    case .processSlot: "process_slot"
    case .openFile: "open_file"
    case .swapReservation: "swap_reservation"
    case .swapBlock: "swap_block"
    case .transfer: "transfer"
    case .transferRead: "transfer_read"
    case .transferWrite: "transfer_write"
    }
  }

  /// The point with this name.
  public init?(name: Span<UInt8>) {
    var number: UInt8 = 0
    while let point = FailurePoint(rawValue: number) {
      if name.spells(point.name) {
        self = point
        return
      }
      number += 1
    }
    return nil
  }
}
