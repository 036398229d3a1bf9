// What the objects cost that events make, and from them what whole events cost: the bounds that calls declare.
//
// Bytes are upper limits, rounded up to where a class may still grow a little; measured maxima are in
// Documentation/HeapBounds.md.

import Primitives

/// Heap of single objects and of the events that make several.
enum HeapCost {
  private static func object(_ byteCount: Int) -> HeapAmount { HeapAmount(objectCount: 1, byteCount: byteCount) }

  // MARK: Objects

  static var vmObject: HeapAmount { HeapLimits.fault }
  static var addressSpace: HeapAmount { object(192) }
  static var openFile: HeapAmount { object(128) }
  static var sharedMemoryObject: HeapAmount { object(128) }
  static var fileTable: HeapAmount { object(672) }
  static var process: HeapAmount { object(1072) }
  static var thread: HeapAmount { object(768) }
  static var signalActions: HeapAmount { object(96) }
  /// A queue of events and its file.
  static var eventQueue: HeapAmount { object(608) + object(144) }
  /// A poll(2) or select(2) that waits.
  static var poller: HeapAmount { object(48) }
  static var timer: HeapAmount { object(112) }
  static var credentials: HeapAmount { object(96) }
  static var userAccount: HeapAmount { object(144) }
  static var groupList: HeapAmount { object(160) }
  static var resourceLimits: HeapAmount { object(320) }
  /// What a transfer or a change of size that waits keeps from others: the hold and its entry in a range lock.
  static var transferHold: HeapAmount { object(96) + object(112) }
  /// What a read or write of a pipe that waits has.
  static var pipePlace: HeapAmount { object(112) }
  /// An end of a pipe.
  static var pipeFile: HeapAmount { object(448) }
  /// A socket, its file, and what a bound one has.
  static var socket: HeapAmount { object(736) }
  static var socketFile: HeapAmount { object(160) }
  static var socketName: HeapAmount { object(160) }
  static var socketNode: HeapAmount { object(400) }
  /// What a send or receive that waits has, and control messages that are given.
  static var socketPlace: HeapAmount { object(240) }
  static var socketControlInput: HeapAmount { object(160) }
  static var socketControl: HeapAmount { object(160) }
  /// The pieces of a readv(2).
  static var transferVector: HeapAmount { object(224) }
  /// What a descriptor is limited to.
  static var descriptorLimits: HeapAmount { object(96) }
  static var requestList: HeapAmount { object(1312) }
  static var argumentStaging: HeapAmount { object(672) }

  /// What a swapoff(2) keeps.
  static var swapRemoval: HeapAmount { object(80) }

  // MARK: Events

  /// A read or write that waits, whatever its file.
  static var transfer: HeapAmount { transferHold.maximum(pipePlace).maximum(socketPlace + socketControl) }
  /// accept(2): what waits, or the file of a connection.
  static var accept: HeapAmount { socketFile.maximum(socketPlace) }
  /// A sendto(2), and a sendmsg(2).
  static var send: HeapAmount { socketPlace + socketName + socketControl }
  static var message: HeapAmount { send + transferVector + socketControlInput }
  /// sendfile(2)
  static var sendFile: HeapAmount {
    // (What optimised code for the host keeps in an object of its own counts, too.)
    object(512) + object(64) * 2 + transferVector + transferVector + socketPlace + socketPlace + socketControl
  }
  /// pipe2(2)
  static var pipe: HeapAmount { pipeFile + pipeFile + vmObject + vmObject }

  /// shm_open(2): a new object and its file, or the file of an object that has to wait to be emptied.
  static var sharedMemoryOpen: HeapAmount {
    openFile + (vmObject + sharedMemoryObject).maximum(transferHold)
  }
  /// UMTX_OP_SHM: a new object with its entry, and its file.
  static var keyedObject: HeapAmount { openFile + vmObject + sharedMemoryObject + object(96) }
  /// fork(2): what is copied, and the state of the copying.
  static var child: HeapAmount { object(144) + process + thread + fileTable + addressSpace }
  /// mmap(2): an object for shared memory without a file, and what remains of a mapping that replaces many.
  static var mapping: HeapAmount { vmObject + object(96) }
  /// execve(2): the state of the execution with what it stages, then the new address space, and the identity that is saved.
  static var execution: HeapAmount {
    object(HeapLimits.largestObjectByteCount) + argumentStaging + addressSpace + credentials + vmObject
  }
}
