// The boot stub calls this module's `main`.

startUp()
