// swapon(2) and swapoff(2): for the superuser; and what everybody may know of a device (vm.swap_info).
//
// The devices are those of the kernel option `swap=`, /dev/md0 and so on in its order; they are known by these paths to these calls
// alone.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  /// SWAPOFF_FORCE: whether there is enough memory does not matter.
  private static let force: UInt32 = 1

  mutating func declareSwapCalls() {
    let copyIn = CopyIn.chosen { call throws(Errno) in
      guard call.process.credentials.isSuperuser else { throw .eperm }
      return .path(call.arguments.first.address)
    }
    declare(.swapon, "swapon", [.path], copyIn: copyIn) { call throws(Errno) in try call.startSwap() }
    declare(.freebsd13Swapoff, "freebsd13_swapoff", [.path], copyIn: copyIn, .waits(HeapCost.swapRemoval)) {
      call throws(Errno) in
      try call.removeSwap(isForced: false)
    }
    declare(
      .swapoff, "swapoff", [.path, .bits],
      copyIn: .chosen { call throws(Errno) in
        guard call.process.credentials.isSuperuser else { throw .eperm }
        guard call.arguments.second.word & ~SystemCallTable.force == 0 else { throw .einval }
        return .path(call.arguments.first.address)
      }, .waits(HeapCost.swapRemoval)
    ) { call throws(Errno) in
      try call.removeSwap(isForced: call.arguments.second.word & SystemCallTable.force != 0)
    }
  }
}

extension SystemCall {
  /// The swap device at the path in the thread's buffer. What is there otherwise is `other`; ENOENT, ENOTDIR and ENAMETOOLONG are
  /// those of the path.
  private func swapDevice(orElse other: Errno) throws(Errno) -> SwapPager {
    try withPath { path throws(Errno) in
      if let pager = kernel.memory.swapDevice(at: path) { return pager }
      _ = try kernel.files.status(path: path, from: .root, takesEmpty: false, in: table)
      throw other
    }
  }

  /// swapon(2): ENOTBLK for what is no disk, EBUSY for one that is in use.
  fileprivate func startSwap() throws(Errno) -> Answer {
    try kernel.memory.startSwap(device: try swapDevice(orElse: .enotblk))
    return .value(0)
  }

  /// swapoff(2): EINVAL for what is not in use, ENOMEM where what is there might not fit into what is free elsewhere.
  fileprivate func removeSwap(isForced: Bool) throws(Errno) -> Answer {
    let pager = try swapDevice(orElse: .einval)
    return try goOn(.removeSwap(SwapRemoval(kernel.memory, pager, isForced: isForced)))
  }

  /// Puts the struct xswdev of one of the devices in use, counted from 0, into the buffer; how many bytes it has.
  ///
  /// Throws ENOENT where there are not so many.
  func stageSwapDevice(_ place: UInt32) throws(Errno) -> Int {
    guard let pager = kernel.memory.usedSwapDevice(place) else { throw .enoent }
    zero(SwapDeviceInformation.byteCount)
    SwapDeviceInformation(
      device: SwapDeviceInformation.firstDevice + UInt64(pager.number), isClosing: pager.state == .closing,
      pageCount: pager.blockCount, usedPageCount: UInt32(pager.takenCount)
    ).forEachWord { stage($1, at: $0) }
    return SwapDeviceInformation.byteCount
  }
}
