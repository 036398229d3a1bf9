// x
import RuntimeSupport

@c(martlet_heap_allocate) func allocate(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer? { nil }
@c(martlet_heap_release) func release(_ memory: UnsafeMutableRawPointer) { }
