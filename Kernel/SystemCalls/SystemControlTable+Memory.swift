// The nodes of sysctl(3) about memory and about what has happened: vm, vm.stats, and what vmstat(8) and top(1) ask for.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemControlTable {
  /// Adds a count of what has happened.
  private mutating func addCounter(_ name: String, _ count: @escaping (Kernel) -> Int) {
    add(name, SystemControl.Top.vm, nil, { .counter(UInt64(count($0))) })
  }

  /// Adds counts of what never happens here.
  private mutating func addNever(_ names: [String]) {
    for name in names { add(name, SystemControl.Top.vm, nil, { _ in .counter(0) }) }
  }

  /// Adds a number of pages.
  private mutating func addPages(_ name: String, _ count: @escaping (MemorySystem) -> Int) {
    add(name, SystemControl.Top.vm, nil, { .integer(UInt32(clamping: count($0.memory))) })
  }

  /// Adds a count of memory management of 64 bits.
  private mutating func addLong(_ name: String, _ count: @escaping (MemoryCounters) -> Int) {
    add(name, SystemControl.Top.vm, nil, { .long(UInt64(count($0.memory.counters))) })
  }

  /// Adds a figure of the store of compressed pages; 0 where there is none.
  private mutating func addStore(_ name: String, _ figure: @escaping (CompressedStoreCounts) -> Int) {
    add(
      "vm.martlet.compressed_" + name, SystemControl.Top.vm, nil,
      { .long(UInt64($0.memory.compressedStore.map { figure($0.counts) } ?? 0)) })
  }

  mutating func addMemory() {
    let memory = SystemControl.Top.vm
    add(
      "hw.physmem", SystemControl.Top.hw, SystemControl.Hardware.physicalMemory,
      { .long(UInt64($0.physicalFrameCount) * Page.byteCount) })
    add(
      "security.bsd.stack_guard_page", SystemControl.Top.security, nil,
      { .integer(UInt32(truncatingIfNeeded: $0.memory.stackGuardPageCount)) },
      .settable({ $0.memory.stackGuardPageCount = UInt64($1) }))
    add(
      "vm.overcommit", memory, SystemControl.VirtualMemory.overcommit,
      { .integer($0.memory.accounting.overcommit) }, .settable({ $0.memory.setOvercommit($1) }))
    add(
      "vm.imply_prot_max", memory, nil, { .integer($0.impliesMaximumProtection ? 1 : 0) },
      .settable({ $0.impliesMaximumProtection = $1 != 0 }))
    add("vm.swap_total", memory, nil, { .long($0.memory.accounting.swapTotal &* Page.byteCount) })
    add("vm.swap_reserved", memory, nil, { .long($0.memory.accounting.reserved &* Page.byteCount) })
    add(
      "vm.max_user_wired", memory, nil, { .long($0.memory.mostWiredPageCount) },
      .checked(byteCount: 8) {
        $0.memory.mostWiredPageCount = $1
        return true
      })
    add("vm.stats.vm.v_user_wire_count", memory, nil, { .long($0.memory.wiredPageCount) })
    addLong("vm.reserv.freed", { $0.reservationsFreed })
    addLong("vm.reserv.broken", { $0.reservationsBroken })
    addLong("vm.pmap.pde.promotions", { $0.promotions })
    addLong("vm.pmap.pde.p_failures", { $0.promotionFailures })
    addLong("vm.pmap.pde.demotions", { $0.demotions })
    addLong("vm.pmap.pde.mappings", { $0.largeMappings })
    add("vm.swap_info", memory, nil, content: .swapDevice)
    add("vm.nswapdev", memory, nil, { .integer(UInt32($0.memory.swapDeviceCount)) })
    addStore("pages", { $0.pages })
    addStore("zero_pages", { $0.zeroPages })
    addStore("bytes", { $0.bytes })
    addStore("frames", { $0.frames })
    addStore("refusals", { $0.refusals })
    add("vm.martlet.heap_bytes", memory, nil, { .long(UInt64($0.resourceCount().heapBytes)) })
    add("vm.martlet.live_objects", memory, nil, { .long(UInt64($0.resourceCount().objects)) })
    add("vm.martlet.inspect", memory, nil, content: .inspection)
    add(
      "vm.martlet.user_kernel_pages", memory, nil, { .integer(UInt32(clamping: $0.memory.accounts.kernelPageLimit)) },
      .settable({ $0.memory.accounts.kernelPageLimit = Int($1) }))
  }

  /// Adds what vmstat(8), top(1) and getloadavg(3) ask for.
  mutating func addStatistics() {
    let (kern, memory) = (SystemControl.Top.kern, SystemControl.Top.vm)
    add("vm.loadavg", memory, SystemControl.VirtualMemory.loadAverage, { .loadAverage($0.processes.load) })
    add("vm.vmtotal", memory, SystemControl.VirtualMemory.total, content: .totals)
    add(
      "kern.boottime", kern, SystemControl.Kern.bootTime,
      { .time(Timeval(nanoseconds: $0.services.bootNanoseconds)) })
    add("kern.cp_time", kern, nil, { .processorTimes($0.processes.processorTicks) })
    add("kern.cp_times", kern, nil, { .processorTimes($0.processes.processorTicks) })
    // What the load is told in, and how what a process takes of the processor decays: that is not kept.
    add("kern.fscale", kern, nil, { _ in .integer(UInt32(LoadAverage.one)) })
    add("kern.ccpu", kern, nil, { _ in .integer(0) })
    addCounter("vm.stats.sys.v_swtch", { $0.processes.counters.switches })
    addCounter("vm.stats.sys.v_trap", { $0.counters.exceptions })
    addCounter("vm.stats.sys.v_syscall", { $0.counters.calls })
    addCounter("vm.stats.sys.v_intr", { $0.counters.interrupts })
    addCounter("vm.stats.vm.v_vm_faults", { $0.memory.counters.faults })
    addCounter("vm.stats.vm.v_io_faults", { $0.counters.majorFaults })
    addCounter("vm.stats.vm.v_cow_faults", { $0.memory.counters.pagesCopied })
    addCounter("vm.stats.vm.v_zfod", { $0.memory.counters.pagesZeroed })
    addCounter("vm.stats.vm.v_swapin", { $0.memory.counters.swapReads })
    addCounter("vm.stats.vm.v_swapout", { $0.memory.counters.swapWrites })
    addCounter("vm.stats.vm.v_swappgsin", { $0.memory.counters.swapPagesIn })
    addCounter("vm.stats.vm.v_swappgsout", { $0.memory.counters.swapPagesOut })
    addCounter("vm.stats.vm.v_reactivated", { $0.memory.counters.pagesReactivated })
    addCounter("vm.stats.vm.v_pdpages", { $0.memory.counters.pagesExamined })
    addCounter("vm.stats.vm.v_intrans", { $0.memory.counters.transitFaults })
    addCounter("vm.stats.vm.v_pdwakeups", { $0.memory.counters.reclaimRuns })
    addCounter("vm.stats.vm.v_pfree", { $0.memory.counters.pagesEnded })
    addCounter("vm.stats.vm.v_tfree", { $0.memory.counters.framesFreed })
    addCounter("vm.stats.vm.v_dfree", { $0.memory.counters.pagesReclaimed })
    addCounter("vm.stats.vm.v_forks", { $0.processes.counters.forks })
    addCounter("vm.stats.vm.v_vforks", { $0.processes.counters.lendingForks })
    addCounter("vm.stats.vm.v_rforks", { $0.processes.counters.otherForks })
    addCounter("vm.stats.vm.v_forkpages", { $0.processes.counters.forkPages })
    addCounter("vm.stats.vm.v_vforkpages", { $0.processes.counters.lendingForkPages })
    addCounter("vm.stats.vm.v_rforkpages", { $0.processes.counters.otherForkPages })
    // There are no soft interrupts, no kernel processes and no files of a disk; no page moves instead of being copied, and
    // none is zeroed before it is wanted.
    addNever([
      "vm.stats.sys.v_soft", "vm.stats.vm.v_cow_optim", "vm.stats.vm.v_ozfod", "vm.stats.vm.v_vnodein",
      "vm.stats.vm.v_vnodeout", "vm.stats.vm.v_vnodepgsin", "vm.stats.vm.v_vnodepgsout", "vm.stats.vm.v_kthreads",
      "vm.stats.vm.v_kthreadpages",
    ])
    add("vm.stats.vm.v_page_size", memory, nil, { _ in .integer(UInt32(Page.byteCount)) })
    addPages("vm.stats.vm.v_page_count", { $0.managedFrameCount })
    addPages("vm.stats.vm.v_free_count", { $0.freeFrameCount })
    addPages("vm.stats.vm.v_free_reserved", { $0.reserveFrameCount })
    addPages("vm.stats.vm.v_pageout_free_min", { $0.reserveFrameCount })
    addPages("vm.stats.vm.v_interrupt_free_min", { _ in 0 })
    addPages("vm.stats.vm.v_free_severe", { $0.reserveFrameCount + $0.privilegedFrameCount })
    addPages("vm.stats.vm.v_free_min", { $0.pagingCounts.lowWater })
    addPages("vm.stats.vm.v_free_target", { $0.pagingCounts.highWater })
    addPages("vm.stats.vm.v_active_count", { $0.pagingCounts.active })
    addPages("vm.stats.vm.v_inactive_count", { $0.pagingCounts.inactive })
    addPages("vm.stats.vm.v_inactive_target", { $0.pagingCounts.inactiveTarget })
    addPages("vm.stats.vm.v_laundry_count", { $0.pagingCounts.laundry })
    addPages("vm.stats.vm.v_wire_count", { $0.pagingCounts.held })
  }
}
