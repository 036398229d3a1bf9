// The moment at which an executed program takes the place of the one before (execve(2); spec abi.md sections 13 and 14).

import ABI
import Files
import Memory
import Primitives

extension ProcessSystem {
  /// Replaces the program of a process by the one that an execution has prepared. Can not fail; the caller has made
  /// sure of the heap's reserve. Descriptors marked close-on-exec are the caller's to close.
  public func commit(_ execution: Execution, _ process: Process, _ thread: Thread) {
    guard let space = execution.takeSpace(), let layout = execution.layout, let stack = execution.stack else {
      preconditionFailure("execution is not ready")
    }
    process.leaveAddressSpace()
    if space.account !== process.credentials.account { space.account = process.credentials.account }
    process.addressSpace = space
    returnMemory(process)
    process.hasExecuted = true
    process.minimumSleepNanoseconds = 0
    deleteKernelTimers(of: process)
    thread.frame.value.attributes.nameByteCount = -1
    watchers.instance?.processExecuted(process.identifier)
    resetSignals(process, thread)
    let credentials = process.credentials
    process.hasChangedIdentity =
      process.hasChangedIdentity
      && (credentials.user != credentials.effectiveUser || credentials.group != credentials.effectiveGroup)
    process.saveIdentity()
    process.imageStart = layout.image.start
    space.program = layout.extent
    process.title = execution.staging.title
    setName(process, execution)
    if processor.floatingPointOwner == thread.slot { processor.floatingPointOwner = .none }
    reset(&thread.context, layout, stack)
  }

  private func reset(_ context: inout ThreadContext, _ layout: ProgramLayout, _ stack: InitialStack) {
    context = ThreadContext()
    context.rip = layout.entry
    context.rdi = stack.base
    context.rsp = stack.stackPointer
    context.rflags = ThreadContext.initialFlags
    context.returnPath = 1
  }

  /// The process is called after the last component of the path.
  private func setName(_ process: Process, _ execution: Execution) {
    let path = execution.path.span
    let byteCount = execution.pathByteCount - 1
    var start = byteCount
    while start > 0 && path[start - 1] != UInt8(ascii: "/") { start -= 1 }
    let count = min(byteCount - start, ProcessLimits.nameByteCount - 1)
    for index in 0..<count { process.name[index] = path[start + index] }
    process.nameByteCount = count
  }
}
