# Everything a developer does here, and everything CI does: `make test` is both.
# Go, a C compiler (for the race detector) and make are all it needs; the tools are
# built by Go from tools/go.mod, whose dependencies are not those of the program.

GO       ?= go
GOFMT    := $(shell $(GO) env GOROOT)/bin/gofmt
BIN      := bin
LINTER   := $(BIN)/golangci-lint
FUZZTIME ?= 300ms
TIMEOUT  ?= 8m
PLAIN    := cmd/barrel docs interfaces/plugintest
PROMISED := TestKilledInTheMiddleOfCalls|TestAKilledHostLeavesNothing|TestALaunchIsQuick|TestACallCostsLittleMoreThanABareOne
VIRTUAL  := TestANodeIsMoved|TestALatecomerIsKnownSoon|TestHalfOfAJoinStormDies|TestAPartitionOfHalfAnHour|TestASlowNodeIsNotDead|TestAThousandEvictions

# What is compiled is the same wherever the checkout is, and is found again in Go's cache.
export GOFLAGS := $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath
# The race detector would sleep for a second at the end of each of fifty programs.
export GORACE ?= atexit_sleep_ms=0

.DEFAULT_GOAL := help
.PHONY: bench-check network-long nightly chat-long bench-table order-long race-programs help build demo quick test test-fmt test-vet test-sim test-plain test-race hundred sim sim-long sim-tables property-long arch lint fmt fuzz bench clean gen gen-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/barrel; version and commit are those of git
	@mkdir -p $(BIN)
	$(GO) build $$(git rev-parse --is-inside-work-tree >/dev/null 2>&1 && echo -buildvcs=true) -o $(BIN)/barrel ./cmd/barrel

demo: build ## three nodes on this machine, start to end, narrated, under a minute
	$(BIN)/barrel demo

quick: test-fmt test-vet ## for every minute: format, vet, architecture, short tests without -race
	$(GO) test -short -timeout $(TIMEOUT) ./...

test: ## everything that CI runs: format, vet, lint, architecture, fuzz, simulation, program tests, race tests
	@scripts/steps test-fmt gen-check+lint+arch fuzz test-sim test-plain test-race

test-fmt: # nothing that gofmt would change
	@files=$$($(GOFMT) -l .); \
	if [ -n "$$files" ]; then echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi

test-vet:
	$(GO) vet ./...

arch: ## the rules of the architecture: imports, machines, budgets, comments
	$(GO) test -count=1 .

# go test need not vet again what lint, of which govet is a part, has vetted.
test-race: # unit and contract tests and examples; scenarios have one goroutine and run in test-sim
	$(GO) test -race -vet=off -count=1 -timeout $(TIMEOUT) -skip '^(TestScenarios|TestTables|$(VIRTUAL))$$' $$($(GO) list ./... | grep -v -x -e github.com/barrelp2p/barrel $(addprefix -e github.com/barrelp2p/barrel/,$(PLAIN)))

# Each of these starts many processes, whose goroutines the tests of the packages have under
# the race detector; `make race-programs` has them all under it.
test-plain: # the program: scripts, networks of nodes, suites in processes, the pages, and times that are promised of processes
	$(GO) test -vet=off -count=1 -timeout $(TIMEOUT) $(addprefix ./,$(PLAIN))
	$(GO) test -vet=off -count=1 -timeout $(TIMEOUT) ./core/external -run '^($(PROMISED))$$'

test-sim: # simulated worlds, and real nodes in virtual time, at full size; the race detector would shrink them
	$(GO) test -vet=off -count=1 -timeout $(TIMEOUT) ./core/sim
	$(GO) test -vet=off -count=1 -timeout $(TIMEOUT) ./core -run '^($(VIRTUAL))$$'

sim: ## SCENARIO= SEED= NODES= of the simulated world; without them, all scenarios
	SCENARIO=$(SCENARIO) SEED=$(SEED) NODES=$(NODES) $(GO) test -count=1 -v -timeout 1h ./core/sim -run '^TestScenarios$$'

sim-long: ## 50 seeds and the large sizes; or SEED= SCENARIO= NODES= of these; a line per round
	cd core/sim && PROGRESS=1 LONG=1 SCENARIO=$(SCENARIO) SEED=$(SEED) NODES=$(NODES) nice -n 10 $(GO) test -count=1 -timeout 240h -run '^TestScenarios$$'

property-long: ## 20,000 random worlds of the replicas of the registry
	CHECKS=20000 nice -n 10 $(GO) test -count=1 -timeout 2h ./core/machine/replica -run '^TestConverges$$'

# Five processes, one after the other, each of which plays it ten times.
chat-long: ## the walk-through of the chat handbook 50 times under the race detector
	@mkdir -p $(BIN)
	$(GO) test -race -vet=off -c -o $(BIN)/chat.test ./examples/chat
	for round in 1 2 3 4 5; do (cd examples/chat && nice -n 10 $(CURDIR)/$(BIN)/chat.test -test.run '^TestWalkThrough$$' -test.count 10 -test.timeout 1h) || exit 1; done

nightly: ## what takes hours: property-long, sim-long and chat-long, one after the other
	$(MAKE) property-long
	$(MAKE) sim-long
	$(MAKE) chat-long

sim-tables: ## docs/simulation.md as the code produces it; or SECTION= NODES= SEED= of it
	cd core/sim && PROGRESS=1 TABLES=$(CURDIR)/docs/simulation.md SECTION=$(SECTION) NODES=$(NODES) SEED=$(SEED) nice -n 10 $(GO) test -count=1 -timeout 2h -run '^TestTables$$'

hundred: ## a hundred real nodes in one process, measured for six minutes; wants the machine for itself
	BARREL_HUNDRED=1 $(GO) test -count=1 -v -timeout 20m ./core -run '^TestManyNodes$$'

network-long: ## the networks of TestNetwork with outages of five minutes
	BARREL_LONG=1 BARREL_NETWORK=required $(GO) test -count=1 -v -timeout 20m ./cmd/barrel -run '^TestNetwork$$'

lint: $(LINTER) ## golangci-lint as .golangci.yml says
	$(LINTER) run --allow-parallel-runners ./...

$(LINTER): tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

gen: ## the Go code of interfaces/proto; needs protoc
	scripts/gen

gen-check: # what is generated is what is committed, where protoc is installed
	@scripts/gen --check

fmt: ## format all Go files
	$(GOFMT) -w .

fuzz: ## each fuzz target for FUZZTIME (300ms)
	@scripts/fuzz $(FUZZTIME)

bench: ## all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-table: ## messages, calls and streams between two processes, beside raw quic-go and gRPC
	cd bench && $(GO) run .

bench-check: ## the same, and a failure for each promise that is not kept
	cd bench && $(GO) run . -check

race-programs: ## the tests of the program with the race detector in every process
	$(GO) test -race -vet=off -count=1 -timeout 20m ./cmd/barrel

order-long: ## 8 senders to 8 receivers of another process, a million messages for each pair: order and number of all
	cd bench && nice -n 10 $(GO) run . -only order -messages 1000000

clean: ## remove what was built
	rm -rf $(BIN)
