# Everything that is done to this repository is a target here. `make` lists them.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

# BIN is not under version control. Programs of internal/tools are built into it.
BIN := $(CURDIR)/.bin

# Outside CI, what a machine lacks is left out: a test calls
#
#	t.Skip("needs Node.js and its package ws: make setup")
#
# naming what it needs and how to get it. `make test` collects these reasons in
# SKIPPED, as it does for the steps below that could not be taken, and ends by
# listing them. With CI set nothing may be left out: the same list is a failure.
SKIPPED := $(BIN)/skipped
CI_SET  := $(filter-out 0 false,$(CI))

# How long each fuzz target runs: a time, or a number of inputs such as 2000x.
FUZZTIME ?= 30s

# The go command knows all modules of go.work as "work". The tools are not among them.
IN_TOOLS := cd internal/tools && GOWORK=off

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## two channels talk to a server on this machine, with a transcript
	@go run ./cmd/wschannel demo

.PHONY: test
test: begin fmt vet staticcheck test-race test-alloc test-wasm fuzz-smoke bench-smoke soak-smoke verdict ## all checks and tests; lists what had to be skipped, and fails if it is in CI

.PHONY: setup
setup: ## install what tests can use besides Go and a C compiler (root: with apt-get)
	@internal/tools/setup.sh

.PHONY: begin
begin:
	@mkdir -p $(BIN)
	@: > $(SKIPPED)
	@internal/tools/setup.sh $(if $(CI_SET),,--user)
	@$(IN_TOOLS) GOBIN=$(BIN) go install ./...

.PHONY: fmt
fmt: ## is every Go file formatted?
	@unformatted=$$(find . -name node_modules -prune -o -name '.?*' -prune -o -name '*.go' -print0 | xargs -0 -r gofmt -l); \
	if [[ -n $$unformatted ]]; then \
		echo "not formatted (gofmt -w):" $$unformatted; exit 1; \
	fi

.PHONY: vet
vet: ## go vet of all modules
	@go vet work
	@$(IN_TOOLS) go vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck of all modules
	@mkdir -p $(BIN)
	@if ! ($(IN_TOOLS) GOBIN=$(BIN) go install tool) 2>$(BIN)/install.log; then \
		cat $(BIN)/install.log; \
		echo "staticcheck: its source cannot be downloaded; run make test once where it can" >> $(SKIPPED); \
	else \
		$(BIN)/staticcheck work; \
		GOOS=js GOARCH=wasm $(BIN)/staticcheck . ./internal/wasmtest ./examples/chat; \
		$(IN_TOOLS) $(BIN)/staticcheck ./...; \
	fi

# -count=1: the peers that some tests talk to are outside what go test's cache knows of.
GO_TEST := go test -vet=off -count=1 -timeout 10m -json

.PHONY: test-race
test-race: begin ## all tests of all modules, under the race detector
	@race=-race; \
	if [[ $$(go env CGO_ENABLED) != 1 ]] || ! command -v $$(go env CC) >/dev/null; then \
		race=; echo "the race detector: it needs a C compiler and CGO_ENABLED=1" >> $(SKIPPED); \
	fi; \
	$(GO_TEST) $$race work | $(BIN)/testreport -skipped $(SKIPPED)
	@$(IN_TOOLS) $(GO_TEST) ./... | $(BIN)/testreport -skipped $(SKIPPED)

# The race detector allocates too. So tests called TestAlloc... are in files with
# the constraint !race and run here, without it.
.PHONY: test-alloc
test-alloc: begin ## the allocation budgets
	@echo "allocation budgets, without the race detector:"
	@$(GO_TEST) -run '^TestAlloc' work | $(BIN)/testreport -skipped $(SKIPPED) | { grep -v -e 'no test files' -e 'no tests to run' || true; }

# Where the tests of internal/wasmtest run besides here, compiled for js/wasm.
WASM_HOSTS ?= chromium chromium-worker firefox node

.PHONY: test-wasm
test-wasm: begin ## the tests that run in browsers and in Node.js
	@go build -o $(BIN)/wasmrun ./internal/wasmtest/run
	@GOOS=js GOARCH=wasm go vet . ./reconnect ./status ./streamchannel ./internal/wasmtest ./examples/chat
	@for host in $(WASM_HOSTS); do \
		lacks=$$($(BIN)/wasmrun -missing $$host); \
		if [[ -n $$lacks ]]; then echo "js/wasm in $$host: $$lacks" >> $(SKIPPED); continue; fi; \
		echo "js/wasm in $$host:"; \
		GOOS=js GOARCH=wasm WASM_HOST=$$host $(GO_TEST) -exec $(BIN)/wasmrun ./internal/wasmtest | $(BIN)/testreport -skipped $(SKIPPED); \
		GOOS=js GOARCH=wasm WASM_HOST=$$host $(GO_TEST) -exec $(BIN)/wasmrun -run 'Page|Retry' ./reconnect | $(BIN)/testreport -skipped $(SKIPPED); \
	done

.PHONY: wasm-size
wasm-size: ## how large a minimal program for the browser is
	@mkdir -p $(BIN)
	@GOOS=js GOARCH=wasm go build -trimpath -ldflags='-s -w' -o $(BIN)/minimal.wasm ./internal/wasmtest/minimal
	@printf '%d bytes, gzipped %d\n' $$(wc -c < $(BIN)/minimal.wasm) $$(gzip -9 -c $(BIN)/minimal.wasm | wc -c)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@internal/tools/fuzz.sh $(FUZZTIME)

.PHONY: fuzz-smoke
fuzz-smoke:
	@internal/tools/fuzz.sh 2000x

.PHONY: bench
bench: ## measure against other libraries, and write bench/RESULTS.md (some 20 minutes)
	@cd bench && go run . -out .

.PHONY: bench-smoke
bench-smoke: begin ## a short round of the same, which judges nothing and writes nothing
	@if [[ $$(go env GOOS) != linux ]]; then \
		echo "the benchmarks: they need Linux" >> $(SKIPPED); \
	else \
		echo "the benchmarks, one short round:"; \
		(cd bench && go run . -short >$(BIN)/bench.txt 2>$(BIN)/bench.log) || { cat $(BIN)/bench.log; exit 1; }; \
		sed -n 's/^left out: /the benchmarks of /p' $(BIN)/bench.txt >> $(SKIPPED); \
		echo "ok"; \
	fi

# For benchstat (golang.org/x/perf/cmd/benchstat): save what it prints, before and
# after a change.
BENCH ?= .
BENCH_COUNT ?= 6

.PHONY: bench-micro
bench-micro: ## what masking, UTF-8, headers, deflate and wrappers cost, for benchstat (BENCH=Mask BENCH_COUNT=6)
	@go test -run '^$$' -bench '$(BENCH)' -count $(BENCH_COUNT) -benchtime 50ms -cpu 1 . ./internal/wire ./internal/proto ./internal/deflate ./streamchannel

# How long make soak goes on; all attacks are made once in any case.
SOAK ?= 5m

.PHONY: soak
soak: ## attack servers and clients for SOAK (5m), and print what that has cost
	@go run ./internal/soak -time $(SOAK)

.PHONY: soak-smoke
soak-smoke: begin
	@if [[ $$(go env GOOS) != linux ]]; then \
		echo "hostile peers: attacking needs Linux" >> $(SKIPPED); \
	else \
		echo "hostile peers, each attack for a moment:"; \
		go run ./internal/soak -short >$(BIN)/soak.txt 2>$(BIN)/soak.log || { cat $(BIN)/soak.txt $(BIN)/soak.log; exit 1; }; \
		echo "ok"; \
	fi

.PHONY: verdict
verdict:
	@if [[ -s $(SKIPPED) ]]; then \
		echo; echo "################ SKIPPED, so not tested:"; \
		sed 's/^/#   /' $(SKIPPED); \
		echo "################ make setup installs what is missing (as root, also system packages)"; \
		$(if $(CI_SET),echo "in CI nothing may be skipped"; exit 1;) \
	fi

# Before the first tag no version of the root module can be downloaded, so that
# go mod tidy fails in a nested module: it gets a go.mod that knows the folder.
.PHONY: tidy
tidy: ## go mod tidy of all modules
	@GOWORK=off go mod tidy
	@$(IN_TOOLS) go mod tidy
	@mkdir -p $(BIN); root=$$(GOWORK=off go list -m); export GOWORK=off; \
	for dir in $$(GOWORK= go list -m -f '{{.Dir}}'); do \
		if [[ $$dir == "$(CURDIR)" ]]; then continue; fi; \
		cd $$dir; cp go.mod $(BIN)/tidy.mod; : > $(BIN)/tidy.sum; \
		if [[ -e go.sum ]]; then cp go.sum $(BIN)/tidy.sum; fi; \
		go mod edit -require $$root@v0.0.0 -replace $$root=$(CURDIR) $(BIN)/tidy.mod; \
		go mod tidy -modfile $(BIN)/tidy.mod; \
		go mod edit -dropreplace $$root $(BIN)/tidy.mod; \
		cp $(BIN)/tidy.mod go.mod; \
		if [[ -s $(BIN)/tidy.sum ]]; then cp $(BIN)/tidy.sum go.sum; else rm -f go.sum; fi; \
	done

.PHONY: clean
clean: ## remove what the targets above have made
	rm -rf $(BIN)
	find . -name node_modules -prune -exec rm -rf {} +
