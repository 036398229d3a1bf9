# The simulation by itself, optimised. KIND: kernel or memory (random scripts on the simulated machine, compared with the
# reference model), concurrent (processes that act at once), pairs (two threads that act at once), orders (every order of small
# scenarios), exhaustive (the nth allocation of every call fails).
# A failing seed prints the shortest script found that fails; FIRST=SEED SEEDS=1 repeats it.

KIND ?= kernel
FIRST ?= 1
SEEDS ?= 200
STEPS ?= 25000

.PHONY: simulate
simulate:
	@Linker/quietly simulation swift build --no-color-diagnostics -c release --product simulate --scratch-path .build-simulate
	@SWIFT_BACKTRACE=enable=no .build-simulate/release/simulate $(KIND) $(FIRST) $(SEEDS) $(STEPS)

# The experiment with SKQ (Documentation/SKQ.md), whose tables and picture it makes anew; QUEUE_SEEDS="1 2 3": only the bounds.
QUEUE_SEEDS ?=
.PHONY: skq
skq:
	@Linker/quietly skq swift build --no-color-diagnostics -c release --product skq --scratch-path .build-simulate
	@.build-simulate/release/skq $(QUEUE_SEEDS)
