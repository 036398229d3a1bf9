// Start-up order, and nothing else.

import Machine

bringUp()
leaveMachine(.success)
