// What a system call is, said once: its number and name, how many arguments it has, what is copied in before it, what it does
// about memory, and its handler. Everything that goes by calls derives from it: the table, reports, the measurement of heap
// use, the checks of the simulation. The declarations stand beside their handlers (`SystemCallTable.declareFileCalls` and its
// like).

import ABI
import Primitives

/// A declaration.
final class SystemCallDeclaration: Nameable {
  /// Runs a call whose path or structure is in the thread's buffer.
  typealias Handler = (borrowing SystemCall) throws(Errno) -> Answer

  /// FreeBSD's number; that of `syscall` where it stands for numbers that are no calls here.
  let number: SystemCallNumber
  /// The name by which the manual knows the call.
  let name: String
  /// Its arguments. The sixth of a call through `syscall` lies on the stack.
  let arguments: ArgumentList
  /// What is copied into the thread's buffer before it begins.
  let copyIn: CopyIn
  /// What it does about memory.
  let demand: MemoryDemand
  /// Whether a call with these arguments only gives back: then it is never refused, and takes what it needs on the way from
  /// the reserve or waits for it. Bad arguments are left to the call.
  let givesBack: (borrowing SystemCall) -> Bool
  /// Its handler.
  let handler: Handler

  init(
    _ number: SystemCallNumber, _ name: String, _ arguments: ArgumentList, copyIn: CopyIn = .nothing,
    _ demand: MemoryDemand = .none, givesBack: @escaping (borrowing SystemCall) -> Bool = { _ in false },
    _ handler: @escaping Handler
  ) {
    self.number = number
    self.name = name
    self.arguments = arguments
    self.copyIn = copyIn
    self.demand = demand
    self.givesBack = givesBack
    self.handler = handler
  }
}

/// What a call does about memory (DESIGN, "Running out of memory"). The amount is what it takes from the heap at most, from its
/// beginning to where it is parked or ends, and again each time it goes on; one object more comes for each page of its own
/// memory that is touched for the first time on the way (`HeapLimits.fault`).
enum MemoryDemand: BitwiseCopyable {
  /// It allocates nothing, or only gives back: it begins and goes on whatever is in reserve.
  case none
  /// It gives an error when memory is short or the heap has no reserve for it: ENOMEM, or ENFILE where its manual does not list
  /// that.
  case refuses(Errno, HeapAmount)
  /// It waits until there is a reserve.
  case waits(HeapAmount)
  /// The same, but only when it cannot be done at once: its handler asks for the reserve then (`SystemCall.hasReserve`).
  case asks(HeapAmount)

  /// What it takes from the heap.
  var heapBound: HeapAmount {
    switch self {
    case .none: .none
    case .refuses(_, let amount), .waits(let amount), .asks(let amount): amount
    }
  }
}

/// What is copied into the thread's buffer before a call begins.
enum CopyIn {
  /// Nothing.
  case nothing
  /// The path, a string of at most PATH_MAX bytes, that the argument with this index names.
  case path(argument: Int)
  /// The structure of so many bytes that the argument names.
  case structure(argument: Int, byteCount: Int)
  /// The same, unless the argument is the null pointer.
  case optionalStructure(argument: Int, byteCount: Int)
  /// What the arguments say. Throws what the call gives before it looks at user memory.
  case chosen((borrowing SystemCall) throws(Errno) -> CopyInRequest)
}

/// What is copied in for one call.
enum CopyInRequest: BitwiseCopyable {
  /// Nothing after all.
  case nothing
  /// A path: a string of at most PATH_MAX bytes.
  case path(VirtualAddress)
  /// So many bytes.
  case bytes(UserRange)
}
