// What a script can make fail: every fail point of the kernel, under the same name.

import Memory

extension InjectedFailure {
  /// What fails (`FailurePoint` says what each of them is).
  public enum Kind: String, CaseIterable, Sendable, Codable {
    /// `FailurePoint.frame`
    case frame
    /// `FailurePoint.pageFrame`
    case pageFrame
    /// `FailurePoint.pageTable`
    case pageTable
    /// `FailurePoint.kernelFrame`
    case kernelFrame
    /// `FailurePoint.heapReserve`
    case heapReserve
    /// `FailurePoint.indexNode`
    case indexNode
    /// `FailurePoint.mappingRecord`
    case mappingRecord
    /// `FailurePoint.mapEntry`
    case mapEntry
    /// `FailurePoint.nameRecord`
    case nameRecord
    /// `FailurePoint.descriptorNode`
    case descriptorNode
    /// `FailurePoint.threadRecord`
    case threadRecord
    /// `FailurePoint.processSlot`
    case processSlot
    /// `FailurePoint.openFile`
    case openFile
    /// `FailurePoint.swapReservation`
    case swapReservation
    /// `FailurePoint.swapBlock`
    case swapBlock
    /// `FailurePoint.transfer`
    case transfer
    /// `FailurePoint.transferRead`
    case transferRead
    /// `FailurePoint.transferWrite`
    case transferWrite

    /// The kernel's fail point.
    var point: FailurePoint {
      switch self {
      case .frame: .frame
      case .pageFrame: .pageFrame
      case .pageTable: .pageTable
      case .kernelFrame: .kernelFrame
      case .heapReserve: .heapReserve
      case .indexNode: .indexNode
      case .mappingRecord: .mappingRecord
      case .mapEntry: .mapEntry
      case .nameRecord: .nameRecord
      case .descriptorNode: .descriptorNode
      case .threadRecord: .threadRecord
      case .processSlot: .processSlot
      case .openFile: .openFile
      case .swapReservation: .swapReservation
      case .swapBlock: .swapBlock
      case .transfer: .transfer
      case .transferRead: .transferRead
      case .transferWrite: .transferWrite
      }
    }

    /// Whether it is a transfer of the device that fails.
    public var isTransfer: Bool { self == .transfer || self == .transferRead || self == .transferWrite }
  }
}
