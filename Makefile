# The same commands for people and for CI. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

TIMEOUT    ?= 20m
TESTFLAGS  ?=
BENCHFLAGS ?=
# stress: what to repeat, how often, and how many busy processes run beside it; then how
# many runs, of 48 steps and more, the models of one type make, and how many steps the
# ledger's model takes on each database.
STRESS     ?= ./internal/thread/... ./threadpin ./internal/pinned/... ./driver/... ./overlay
COUNT      ?= 100
CHECKS     ?= 4200
STEPS      ?= 200000
LOAD       ?= $(shell nproc 2>/dev/null || echo 2)
# cluster: how often a node is killed.
KILLS      ?= 12

WITH_MARIADB := scripts/mariadb run
WITH_POSTGRES := scripts/postgres run
FIND_SOURCE  := find . -name '.?*' -prune -o -name testdata -prune -o
MODULES      := $(filter-out ./internal/tools,$(patsubst %/go.mod,%,$(shell $(FIND_SOURCE) -name go.mod -print)))
# Serving drivers that know only the old interfaces is what the code is for, so
# SA1019, which points at deprecated ones, stays off.
STATICCHECKS := inherit,-SA1019
STATICCHECK   = $$(go tool -modfile=internal/tools/go.mod -n staticcheck)

# packages lists those of the packages $1 that exist and have files for the
# platform in the environment, so that a pattern may name what is still to come.
packages = $$(go list -e -f '{{if or .GoFiles .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' \
	$(foreach p,$1,$(if $(wildcard $(patsubst %/...,%,$p)),$p)) 2>/dev/null)

# CGO_FREE must build without cgo, on every system.
CGO_FREE := ./internal/thread ./threadpin ./driver ./driver/mysql/... ./warnings/... ./reflectguard/... ./overlay/...
# PORTABLE has code for Linux and for elsewhere; the tag chooses the latter on Linux too.
PORTABLE := ./internal/thread ./threadpin ./driver/...

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## install what the tests need: a C compiler, MariaDB, on Debian Chromium (root on Debian or Ubuntu; else say what is missing)
	@scripts/install-test-deps

.PHONY: test
test: deps ## run all tests with the race detector, against SQLite and a private MariaDB
	$(WITH_MARIADB) go test -race -timeout $(TIMEOUT) $(TESTFLAGS) $$(go list ./... | grep -Ev '/internal/test/(ledger|liveness|faults)$$')
	$(WITH_MARIADB) go test -race -timeout $(TIMEOUT) $(TESTFLAGS) -run '^TestModel' ./internal/test/ledger
	go test -timeout $(TIMEOUT) $(TESTFLAGS) -run Conformance ./driver
	go test -timeout $(TIMEOUT) $(TESTFLAGS) ./internal/test/conformance
	$(WITH_MARIADB) go -C internal/test/reflectors test -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...
	go -C otel test -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...
	go -C internal/test/wrappers test -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...

# The acceptance tests wait for deadlines and use much of the machine: they are run
# before a change to transactions, cancelling or closing is called done.
.PHONY: acceptance
acceptance: deps ## what was acknowledged is there, and nothing hangs: the ledger, liveness and faults tests
	$(WITH_MARIADB) go test -timeout 60m $(TESTFLAGS) ./internal/test/ledger ./internal/test/liveness ./internal/test/faults

.PHONY: faults
faults: deps ## kill, cut off, fill up and starve a database under writers: nothing may be lost, hung or leaked
	$(WITH_MARIADB) go run ./internal/test/faults $(FAULTSFLAGS)

.PHONY: drivers
drivers: ## test pgx, lib/pq and two more SQLite drivers, bare against aio, and on a private PostgreSQL
	@scripts/install-test-deps drivers
	$(WITH_POSTGRES) go -C internal/test/drivers test -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...

.PHONY: portable
portable: deps ## run the tests of the code for systems other than Linux, and of the driver without cgo
	$(WITH_MARIADB) go test -race -timeout $(TIMEOUT) -tags threadpin_portable $(TESTFLAGS) $(PORTABLE)
	CGO_ENABLED=0 go test -timeout $(TIMEOUT) $(TESTFLAGS) ./driver/sqlite3

.PHONY: stress
stress: deps ## repeat the concurrency tests under CPU load (STRESS=packages COUNT=100 LOAD=processes), and run the models (CHECKS=4200 STEPS=200000)
	@scripts/with-load $(LOAD) $(WITH_MARIADB) \
		go test -race -short -timeout 2h -count $(COUNT) $(TESTFLAGS) $(STRESS)
	go test -race -timeout 2h -v -run Model $(TESTFLAGS) ./internal/thread ./driver ./driver/sqlite3 ./overlay -rapid.checks $(CHECKS)
	$(WITH_MARIADB) go test -race -timeout 2h -v -run '^TestModel' $(TESTFLAGS) ./internal/test/ledger -model.steps $(STEPS)

.PHONY: conformance
conformance: deps ## run the test suites of the wrapped drivers, bare and through the shim, and compare
	@$(WITH_MARIADB) go run ./internal/test/foreign $(CONFORMANCEFLAGS)

.PHONY: cluster
cluster: ## kill nodes of a private Galera cluster, and cut them off, under writes: none may be lost (KILLS=12)
	@scripts/install-test-deps cluster
	scripts/galera run go test -race -timeout $(TIMEOUT) -count 1 -v $(TESTFLAGS) ./internal/test/cluster -kills $(KILLS)

.PHONY: bench
bench: deps ## compare bare and wrapped drivers: medians, ratios, allocations (BENCHFLAGS=...)
	@if [ -d internal/test/bench ]; then $(WITH_MARIADB) go -C internal/test/bench run . $(BENCHFLAGS); fi

.PHONY: bench-once
bench-once: deps ## run every benchmark once, to see that it works
	$(WITH_MARIADB) go test -run '^$$' -bench . -benchtime 1x -timeout $(TIMEOUT) ./...
	@$(MAKE) --no-print-directory bench BENCHFLAGS=-quick

.PHONY: examples
examples: ## vet, build and run the examples
	@scripts/run-examples

.PHONY: fmt
fmt: ## format the code
	@$(FIND_SOURCE) -name '*.go' -exec gofmt -l -w {} +

.PHONY: fmt-check
fmt-check: ## fail if code is not formatted
	@unformatted=$$($(FIND_SOURCE) -name '*.go' -exec gofmt -l {} +); \
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt):\n%s\n' "$$unformatted" >&2; exit 1; fi

.PHONY: vet
vet: ## vet everything, for other systems and with every tag too
	for module in $(MODULES); do go -C $$module vet ./...; done
	@for os in darwin windows; do \
		export GOOS=$$os CGO_ENABLED=0; packages=$(call packages,$(CGO_FREE)); \
		if [ -n "$$packages" ]; then echo GOOS=$$os go vet; go vet $$packages; fi; \
	done
	go vet -tags threadpin_portable ./...
	go -C cmd/aiovet test ./...
	go vet -vettool="$$(go -C cmd/aiovet tool -n aiovet)" ./examples/...

.PHONY: staticcheck
staticcheck: ## run the pinned staticcheck
	@staticcheck=$(STATICCHECK); \
	for module in $(MODULES); do echo staticcheck $$module; (cd $$module && "$$staticcheck" -checks $(STATICCHECKS) ./...); done

.PHONY: ci
ci: fmt-check vet staticcheck test portable bench-once examples ## everything that must pass before a merge
