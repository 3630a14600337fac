# The tools that are not part of Go are named here, and only here, with their versions. `go run` builds
# them once and keeps them in Go's build cache, so that they need no place in go.mod.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.8.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## Run everything in one process: API, pages, worker, sandbox, inbox
	go run ./cmd/dev

.PHONY: build
build: ## Build the commands into bin/, where the Procfile looks for them
	go build -o bin/ ./cmd/...

# Tests that drive built programs mostly wait, and the race detector would look at the driver alone: they run without
# it, and the proof, which has times to keep, alone. What builds images and watches Prometheus has a target of its own. The last line says which stores the
# tests ran on, whatever became of them.
DRIVERS := usher/(bench|internal/(deploytest|e2e|mutants|opstest|prove))$$
.PHONY: test
test: ## Run all tests in random order, with the race detector where code of ours runs in the test
	@packages=$$(go list ./... | grep -vE '$(DRIVERS)'); drivers=$$(go list ./... | grep -E '$(DRIVERS)'); \
	code=0; set -x; \
	go test -race -shuffle=on -timeout 8m $$packages || code=1; \
	go test -short -shuffle=on ./internal/deploytest ./internal/mutants ./internal/opstest || code=1; \
	go test -shuffle=on -timeout 8m $$(echo "$$drivers" | grep -vE 'deploytest|mutants|opstest|prove') || code=1; \
	go test -shuffle=on -timeout 8m ./internal/prove || code=1; \
	go run ./internal/testkit/stores; exit $$code

.PHONY: test-images
test-images: ## Try what the images hold with compose, foreman and systemd, and the alerts with Prometheus, in some minutes
	go test -count=1 -timeout 20m ./internal/deploytest ./internal/mutants ./internal/opstest

# Run in its folder, where go test shows what the tests print: the table.
PROVE := cd internal/prove && go test -count=1 -timeout 90m -run 'TestRow$(ROW)'

.PHONY: prove
prove: ## Prove what docs/reliability.md promises, at the quick sizes; ROW=02 for one row
	$(PROVE)

.PHONY: prove-long
prove-long: export USHER_PROVE := long
prove-long: ## The same at the long sizes
	$(PROVE)

.PHONY: mutants
mutants: ## Take each guard out in turn and see that the tests notice, in some minutes
	go run ./internal/mutants

.PHONY: screenshots
screenshots: ## Make the pictures of the README again, from the running program
	USHER_SCREENSHOTS=$(CURDIR)/docs/images USHER_TEST_REAL=1 go test -count=1 -run '^TestScreenshots$$' ./internal/e2e

.PHONY: vulns
vulns: ## Compare the modules with Go's database of vulnerabilities, which needs the network
	$(GOVULNCHECK) ./...

# Go fuzzes one target of one package at a time.
FUZZTIME := 30s
.PHONY: fuzz
fuzz: ## Look for inputs that break readers of strangers' texts; FUZZTIME=5m for each of them
	@grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed 's/func //' | sort | while IFS=: read -r file target; do \
		echo "$$file $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" < /dev/null || exit 1; \
	done

.PHONY: bench
bench: ## Measure the built programs beside their floors, into bench/results
	go run ./bench

# That benchmarks of single functions keep working; their times mean nothing here.
.PHONY: bench-once
bench-once: ## Run each benchmark of the tests once
	go test -run '^$$' -bench . -benchtime 1x ./...

.PHONY: lint
lint: ## Look for mistakes and for departures from the style
	$(GOLANGCI_LINT) run ./...

.PHONY: fmt
fmt: ## Format all Go files
	$(GOLANGCI_LINT) fmt

.PHONY: fmt-check
fmt-check: ## Show what fmt would change, and fail if that is anything
	$(GOLANGCI_LINT) fmt --diff

.PHONY: generate
generate: ## Write the generated files again
	go generate ./...

.PHONY: check
check: ## Do all that CI does
	.ci/run
