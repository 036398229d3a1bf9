// The nodes of sysctl(3) that exist: name, number, and value (spec abi.md section 17; issue "First light").
//
// Two are Martlet's own, for tests of leaks: what the kernel's heap holds and how many objects live. Nodes that have no
// fixed number in FreeBSD are numbered here from 1000 on under the number of their top level.

import ABI
import Memory

/// A node.
enum SystemControlNode: Int, CaseIterable {
  case osType, osRelease, osRevision, version, osReleaseDate, hostName, argumentMaximum, maximumProcesses
  case maximumFiles, maximumFilesPerProcess, groupMaximum, userStack, random, openFiles
  case signalUnknownCalls, posixSharedMemory
  case machine, processorCount, physicalMemory, pageSize
  case overcommit, swapTotal, swapReserved, pageCount, freeCount, swapPagesIn, swapPagesOut, heapByteCount, objectCount
  case inspection
  case stackGuardPages
  case namesList, namesMaximum, namesPerUser, userKernelPages

  /// The name.
  var name: String {
    switch self {
    case .osType: "kern.ostype"
    case .osRelease: "kern.osrelease"
    case .osRevision: "kern.osrevision"
    case .version: "kern.version"
    case .osReleaseDate: "kern.osreldate"
    case .hostName: "kern.hostname"
    case .argumentMaximum: "kern.argmax"
    case .maximumProcesses: "kern.maxproc"
    case .maximumFiles: "kern.maxfiles"
    case .maximumFilesPerProcess: "kern.maxfilesperproc"
    case .groupMaximum: "kern.ngroups"
    case .userStack: "kern.usrstack"
    case .random: "kern.arandom"
    case .openFiles: "kern.openfiles"
    case .signalUnknownCalls: "kern.signosys"
    case .posixSharedMemory: "kern.features.posix_shm"
    case .machine: "hw.machine"
    case .processorCount: "hw.ncpu"
    case .physicalMemory: "hw.physmem"
    case .pageSize: "hw.pagesize"
    case .overcommit: "vm.overcommit"
    case .swapTotal: "vm.swap_total"
    case .swapReserved: "vm.swap_reserved"
    case .pageCount: "vm.stats.vm.v_page_count"
    case .freeCount: "vm.stats.vm.v_free_count"
    case .swapPagesIn: "vm.stats.vm.v_swappgsin"
    case .swapPagesOut: "vm.stats.vm.v_swappgsout"
    case .heapByteCount: "vm.martlet.heap_bytes"
    case .objectCount: "vm.martlet.live_objects"
    case .inspection: "vm.martlet.inspect"
    case .stackGuardPages: "security.bsd.stack_guard_page"
    case .namesList: "kern.ipc.posix_shm_list"
    case .namesMaximum: "kern.ipc.shm_names_max"
    case .namesPerUser: "kern.ipc.shm_names_per_user"
    case .userKernelPages: "vm.martlet.user_kernel_pages"
    }
  }

  /// The two numbers of `__sysctl`.
  var identifier: (Int32, Int32) {
    typealias Kern = SystemControl.Kern
    typealias Hardware = SystemControl.Hardware
    let kern = SystemControl.Top.kern
    let hardware = SystemControl.Top.hw
    let memory = SystemControl.Top.vm
    return switch self {
    case .osType: (kern, Kern.osType)
    case .osRelease: (kern, Kern.osRelease)
    case .osRevision: (kern, Kern.osRevision)
    case .version: (kern, Kern.version)
    case .osReleaseDate: (kern, Kern.osReleaseDate)
    case .hostName: (kern, Kern.hostName)
    case .argumentMaximum: (kern, Kern.argumentMaximum)
    case .maximumProcesses: (kern, Kern.maximumProcesses)
    case .maximumFiles: (kern, Kern.maximumFiles)
    case .maximumFilesPerProcess: (kern, Kern.maximumFilesPerProcess)
    case .groupMaximum: (kern, Kern.groupMaximum)
    case .userStack: (kern, Kern.userStack)
    case .random: (kern, Kern.random)
    case .machine: (hardware, Hardware.machine)
    case .processorCount: (hardware, Hardware.processorCount)
    case .physicalMemory: (hardware, Hardware.physicalMemory)
    case .pageSize: (hardware, Hardware.pageSize)
    case .overcommit: (memory, SystemControl.VirtualMemory.overcommit)
    case .stackGuardPages: (SystemControl.Top.security, Int32(1000 + rawValue))
    case .openFiles, .signalUnknownCalls, .posixSharedMemory, .namesList, .namesMaximum, .namesPerUser:
      (kern, Int32(1000 + rawValue))
    case .swapTotal, .swapReserved, .pageCount, .freeCount, .swapPagesIn, .swapPagesOut, .heapByteCount, .objectCount,
      .inspection, .userKernelPages:
      (memory, Int32(1000 + rawValue))
    }
  }

  /// Whether the superuser may set it.
  var isWritable: Bool {
    switch self {
    case .overcommit, .signalUnknownCalls, .stackGuardPages, .maximumFiles, .namesMaximum, .namesPerUser,
      .userKernelPages:
      true
    default: false
    }
  }

  /// The node with this name.
  init?(name: Span<UInt8>) {
    // By number, not over `allCases`: that would be an array on the heap.
    var number = 0
    while let node = SystemControlNode(rawValue: number) {
      if name.spells(node.name) {
        self = node
        return
      }
      number += 1
    }
    return nil
  }

  /// The node with these numbers.
  init?(_ first: Int32, _ second: Int32) {
    var number = 0
    while let node = SystemControlNode(rawValue: number) {
      if node.identifier == (first, second) {
        self = node
        return
      }
      number += 1
    }
    return nil
  }
}

/// The value of a node.
enum SystemControlValue {
  /// An int.
  case integer(UInt32)
  /// A long.
  case long(UInt64)
  /// A string; its NUL is added.
  case text(String)
}
