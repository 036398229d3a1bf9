// Start-up order, and nothing else.

import Machine

Console.initialize()
logLine("hello")
leaveMachine(.success)
