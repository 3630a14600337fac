# The tools that are not part of Go are named here, and only here, with their versions. `go run` builds
# them once and keeps them in Go's build cache, so that they need no place in go.mod.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
VALE := go run github.com/vale-cli/vale/v3/cmd/vale@v3.21.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## Run everything in one process: API, pages, worker, sandbox, inbox
	go run ./cmd/dev

.PHONY: build
build: ## Build the commands into bin/, where the Procfile looks for them
	go build -o bin/ ./cmd/...

# The race detector triples the processor time of a package: it watches those in which goroutines of ours share memory. Three
# kinds of packages run without it, beside the others:
# - DRIVERS start programs and wait for them; the detector would only watch the test itself. The proof, which has times
#   to keep, runs alone at the end. Building images and watching Prometheus has a target of its own.
# - PURE packages compute, and share nothing but what is computed once; the detector makes a minute out of a second.
# - In api, app and sqlstore (HEAVY) goroutines share memory only through packages that the detector watches and through stores,
#   and passwords are hashed or rows counted, which the detector makes so slow that requests time out. Their tests of what happens at
#   the same time, TOGETHER, run with it all the same.
# Tests wait for stores and for time to pass, so more of them run at a time than there are cores: as many packages as cores with
# three tests each, and beside them one package that drives programs. With more of them the tests get too little of the processor
# for the times that they have to keep. The package whose tests wait longest, SLOW, begins first. On a new machine all packages are
# compiled before the first test, which would lack the processor meanwhile. The analyzers of go vet are part of lint. The last line
# says which stores the tests ran on, whatever their outcome.
DRIVERS := usher/(bench|web|internal/(deploytest|e2e|integration|mutants|opstest|prove))$$
LONG := usher/internal/(deploytest|mutants|opstest|prove)$$
PURE := usher/(captcha|contact|internal/captchabench)$$
HEAVY := ./api ./app ./store/sqlstore
SLOW := ./tasks
TOGETHER := at_once|parallel|race|together|twice|once|Reload|Batcher|batch
TEST := go test -vet=off -shuffle=on -timeout 20m
WIDE := -race -parallel 3 -p $(shell getconf _NPROCESSORS_ONLN)
.PHONY: test
test: ## Run all tests in random order, with the race detector where goroutines share memory
	@packages=$$(go list ./... | grep -vE '$(DRIVERS)|$(PURE)|usher/(api|app|store/sqlstore)$$'); \
	others=$$(go list ./... | grep -E '$(DRIVERS)|$(PURE)' | grep -vE '$(LONG)'); \
	code=0; set -x; go build -race ./... || exit 1; \
	{ $(TEST) -p 1 $$others $(HEAVY) && $(TEST) -race -p 1 -run '$(TOGETHER)' $(HEAVY) && \
		$(TEST) -short ./internal/deploytest ./internal/mutants ./internal/opstest; } & beside=$$!; \
	$(TEST) $(WIDE) $(SLOW) $$packages || code=1; \
	wait $$beside || code=1; \
	$(TEST) -parallel 4 ./internal/prove || code=1; \
	go run ./internal/testkit/stores; exit $$code

.PHONY: test-images
test-images: ## Start the programs of the images with compose, foreman and systemd, and try the alerts with Prometheus; some minutes
	go test -count=1 -timeout 20m ./internal/deploytest ./internal/mutants ./internal/opstest

# A module of its own: Helm's packages take two cores two minutes to compile at first.
.PHONY: test-chart
test-chart: ## Test the Helm chart: lint, schema, and the manifests of each example, as Kubernetes decodes them
	cd ops/helm && go mod tidy -diff && go test ./...

# Run in its folder, where go test shows what the tests print: the table.
PROVE := cd internal/prove && go test -count=1 -timeout 90m -run 'TestRow$(ROW)'

.PHONY: prove
prove: ## Prove the promises of docs/reliability.md at the quick sizes; ROW=02 for one row
	$(PROVE)

.PHONY: prove-long
prove-long: export USHER_PROVE := long
prove-long: ## The same at the long sizes
	$(PROVE)

.PHONY: mutants
mutants: ## Remove each guard in turn and check that a test fails; some minutes
	go run ./internal/mutants

.PHONY: client
client: ## Make the types of the TypeScript client, and the part of it that the pages use; needs npm
	cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund && npm run types && npm run pages

.PHONY: screenshots
screenshots: ## Make the pictures of the README from the running program
	USHER_SCREENSHOTS=$(CURDIR)/docs/images USHER_TEST_REAL=1 go test -count=1 -run '^TestScreenshots$$' ./internal/e2e

.PHONY: lighthouse
lighthouse: ## Score the pages with Lighthouse, as a phone and as a desktop computer load them; needs npm, some minutes
	USHER_LIGHTHOUSE=1 USHER_TEST_REAL=1 go test -count=1 -v -timeout 30m -run '^TestLighthouse$$' ./internal/e2e

.PHONY: vulns
vulns: ## Compare the modules with Go's database of vulnerabilities, which needs the network
	$(GOVULNCHECK) ./...

# Go fuzzes one target of one package at a time.
FUZZTIME := 30s
.PHONY: fuzz
fuzz: ## Fuzz everything that reads foreign text; FUZZTIME=5m for each target
	@grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed 's/func //' | sort | while IFS=: read -r file target; do \
		echo "$$file $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" < /dev/null || exit 1; \
	done

.PHONY: bench
bench: ## Measure the built programs beside what the libraries alone reach, into bench/results
	go run ./bench

# Checks that benchmarks of single functions still run; the times of one run mean nothing.
.PHONY: bench-once
bench-once: ## Run each benchmark of the tests once
	go test -run '^$$' -bench . -benchtime 1x ./...

# The peers of the bench are a module of their own, which `./...` leaves out.
.PHONY: lint
lint: ## Check the code for mistakes and style
	$(GOLANGCI_LINT) run ./...
	cd bench/peers/queues && go mod tidy -diff && go vet ./...
	$(MAKE) --no-print-directory prose

# The texts that people read and write: comments, documents, logs, pages, alerts. vale must find a planted phrase first.
PROSE := '*.md' '*.go' '*.lua' '*.sql' '*.yml' '*.yaml' '*.tmpl' '*.html' '*.js' '*.sh' ':!.vale'
.PHONY: prose
prose: ## Look for phrases that "How we write" rules out
	@if $(VALE) --ext=.md 'Whoever reads this.' >/dev/null 2>&1; then echo "vale does not find a planted phrase"; exit 1; fi
	@git ls-files $(PROSE) | xargs $(VALE) --output line

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
check: ## Run everything that CI runs
	.ci/run
