// x
import RuntimeSupport

nonisolated(unsafe) var next: UInt64 = 0
@c(martlet_heap_allocate) func allocate(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer? {
unsafe next = (next + 63) & ~63
let r = unsafe next + boot_arena_address()
unsafe next += UInt64(size)
 return unsafe UnsafeMutableRawPointer(bitPattern: UInt(r)) }
@c(martlet_heap_release) func release(_ memory: UnsafeMutableRawPointer) { }
