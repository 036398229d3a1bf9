// Exceptions of ring 3 and the signals they become (the table at the end of spec abi.md).

import ABI
import Memory
import Primitives
import Processes

/// The vectors that the kernel tells apart.
enum ExceptionVector {
  static let divide: UInt8 = 0
  static let debug: UInt8 = 1
  static let breakpoint: UInt8 = 3
  static let overflow: UInt8 = 4
  static let bound: UInt8 = 5
  static let invalidOpcode: UInt8 = 6
  static let taskSegment: UInt8 = 10
  static let segmentNotPresent: UInt8 = 11
  static let stackSegment: UInt8 = 12
  static let pageFault: UInt8 = 14
  static let floatingPoint: UInt8 = 16
  static let alignment: UInt8 = 17
  static let vectorFloatingPoint: UInt8 = 19
}

/// The bits of a page fault's error code (Intel SDM volume 3, section 4.7).
enum PageFaultCode {
  static let write: UInt64 = 2
  static let user: UInt64 = 4
  static let instructionFetch: UInt64 = 16
}

extension ProcessorException {
  /// The signal of every exception but page faults.
  var signal: Signal {
    switch vector {
    case ExceptionVector.divide, ExceptionVector.overflow, ExceptionVector.bound: .sigfpe
    case ExceptionVector.debug, ExceptionVector.breakpoint: .sigtrap
    case ExceptionVector.invalidOpcode: .sigill
    case ExceptionVector.floatingPoint, ExceptionVector.vectorFloatingPoint: .sigfpe
    default: .sigbus
    }
  }

  /// Why that signal is sent.
  var signalCode: SignalCode {
    switch vector {
    case ExceptionVector.divide: .floatIntegerDivide
    case ExceptionVector.overflow: .floatIntegerOverflow
    case ExceptionVector.bound: .floatSubscript
    case ExceptionVector.debug: .trapTrace
    case ExceptionVector.breakpoint: .trapBreakpoint
    case ExceptionVector.invalidOpcode: .illegalPrivilegedOpcode
    case ExceptionVector.segmentNotPresent, ExceptionVector.stackSegment: .busAddress
    case ExceptionVector.alignment: .busAlignment
    case ExceptionVector.floatingPoint, ExceptionVector.vectorFloatingPoint: floatingPointCode
    default: .busObject
    }
  }

  /// The number by which programs know the exception.
  var trapNumber: TrapNumber {
    switch vector {
    case ExceptionVector.divide: .divide
    case ExceptionVector.debug: .trace
    case ExceptionVector.breakpoint: .breakpoint
    case ExceptionVector.overflow: .overflow
    case ExceptionVector.bound: .bound
    case ExceptionVector.invalidOpcode: .invalidOpcode
    case ExceptionVector.taskSegment: .taskSegment
    case ExceptionVector.segmentNotPresent: .segmentNotPresent
    case ExceptionVector.stackSegment: .stackSegment
    case ExceptionVector.pageFault: .pageFault
    case ExceptionVector.floatingPoint: .floatingPoint
    case ExceptionVector.alignment: .alignment
    case ExceptionVector.vectorFloatingPoint: .vectorFloatingPoint
    default: .protection
    }
  }

  /// What a program is told of every exception but page faults: where it was.
  func information(at instruction: UInt64) -> SignalInformation {
    SignalInformation(signal, signalCode, address: instruction, trap: trapNumber)
  }

  /// The flags that are not masked, the first that applies (spec signals.md section 1.11). The x87 status word has bit 6 for a
  /// fault of its stack.
  private var floatingPointCode: SignalCode {
    let status = floatingPointStatus
    if status & 1 != 0 {
      return vector == ExceptionVector.floatingPoint && status & 64 != 0 ? .floatSubscript : .floatInvalid
    }
    if status & 4 != 0 { return .floatDivide }
    if status & 2 != 0 { return .floatUnderflow }
    if status & 8 != 0 { return .floatOverflow }
    if status & 16 != 0 { return .floatUnderflow }
    return .floatInexact
  }

  /// What a page fault wanted to do.
  var access: AccessType {
    if errorCode & PageFaultCode.instructionFetch != 0 { return .execute }
    return errorCode & PageFaultCode.write != 0 ? .write : .read
  }
}

extension Kernel {
  /// Resolves a page fault of the current thread, parks it, or signals it.
  @inline(__always)
  func pageFault(_ event: ProcessorException, _ thread: Thread, _ process: Process) -> Bool {
    // From ring 3 a supervisor access comes only from an instruction that loads a descriptor (or, on an emulator with SMAP,
    // from iret and lret); mapping the page would not help, so the instruction would fault for ever.
    guard event.errorCode & PageFaultCode.user != 0 else {
      raise(
        SignalInformation(.sigbus, .busObject, address: thread.context.rip, trap: .protection), event, thread, process)
      return false
    }
    let outcome = process.space.borrow { $0.resolveFault(at: VirtualAddress(event.address), event.access) }
    switch outcome {
    case .resolved:
      process.usage.minorFaultCount &+= 1
      thread.frame.value.attributes.usage.minorFaultCount &+= 1
      return mayGoOn
    case .wait(let awaited):
      if awaited.keptFrame != .none {
        counters.majorFaults &+= 1
        process.usage.majorFaultCount &+= 1
        thread.frame.value.attributes.usage.majorFaultCount &+= 1
      }
      processes.park(thread, on: awaited)
      return false
    case .signal(let signal, let code):
      raise(SignalInformation(signal, code, address: event.address, trap: .pageFault), event, thread, process)
      return false
    }
  }
}
