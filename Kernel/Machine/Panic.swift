@c(runtime_failed) func failed(_ kind: UInt32) -> Never { leaveMachine(.panic) }
