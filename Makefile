# Targets are documented by the comment after `##`; `make` alone prints them.

GO ?= go
LINT = $(GO) tool -modfile=.ci/lint.mod golangci-lint
FUZZTIME ?= 10s

.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/bridgecore, static, without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bridgecore ./cmd/bridgecore

demo: ## run the tour over simulated Odoo servers
	$(GO) run ./cmd/bridgecore demo

test: ## run all tests twice: with real PostgreSQL and Redis (race detector on, the largest left out), then all with the embedded defaults
	.ci/with-services $(GO) test -race -short -parallel 3 -timeout 20m ./...
	$(GO) test ./...

test-embedded: ## run all tests with the embedded defaults only: needs Go and nothing else
	$(GO) test ./...

bench: ## run the benchmarks, which print ratios
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@$(GO) list ./... | while read -r pkg; do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

golden: ## rewrite the golden files of the HTTP tests; read the diff before you commit it
	$(GO) test ./cmd/bridgecore/internal/httpapi -run TestDocumented -update

lint: ## run the linter; the first time it is compiled, which takes minutes
	$(LINT) run

tidy: ## format the code and tidy the module
	$(LINT) fmt
	$(GO) mod tidy

.PHONY: help build demo test test-embedded bench fuzz golden lint tidy
