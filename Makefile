# `make` lists what can be made. Nothing but Go, make and git is needed for `make demo`.

# What is built says what it was built from, where git knows; both are empty where it does not.
VERSION := $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null)
STAMP   := -X main.version=$(VERSION) -X main.date=$(DATE)

# The modules with tests of their own; the nested ones where they exist.
MODULES := . $(patsubst %/go.mod,%,$(wildcard e2e/go.mod bench/go.mod))

LINTER   := .cache/golangci-lint
FUZZTIME ?= 15s

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo lab build test setup format vet lint race fuzz cover bench clean go

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: build ## build bin/lockstep and run the lesson
	@bin/lockstep demo

lab: build ## build bin/lockstep and serve the lab on http://localhost:8400
	@bin/lockstep lab

build: go ## build bin/lockstep
	@echo "building bin/lockstep (the first time takes up to a minute)"
	@CGO_ENABLED=0 go build -ldflags "$(STAMP)" -o bin/lockstep ./cmd/lockstep

test: setup format vet lint race ## install what tests need (Debian), check format, vet, lint, run every test with -race
	@echo "everything holds"

setup: go
	@scripts/setup-tests.sh

format: go ## show Go files that are not formatted
	@echo "== format"
	@unformatted=$$(gofmt -l .) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted; gofmt -w mends it:"; echo "$$unformatted"; exit 1; fi

vet: go
	@set -e; for module in $(MODULES); do echo "== vet $$module"; (cd $$module && go vet ./... && go mod tidy -diff); done

lint: go $(LINTER) ## run golangci-lint at the version of tools/go.mod
	@set -e; for module in $(MODULES); do echo "== lint $$module"; \
		(cd $$module && "$(CURDIR)/$(LINTER)" run --allow-parallel-runners --config "$(CURDIR)/.golangci.yml" ./...); done

# Built once; Go's build cache makes it quick after `make clean`.
$(LINTER): tools/go.mod tools/go.sum
	@echo "building golangci-lint (some minutes on a fresh machine; it is kept in .cache)"
	@cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# -count=1, because Go cannot know that Django or the browser beside it has changed.
race: go
	@set -e; for module in $(MODULES); do echo "== test $$module"; \
		(cd $$module && LOCKSTEP_TEST_REQUIRE=all go test -race -count=1 -timeout 15m ./...); done

fuzz: go ## run each fuzz target for FUZZTIME (15s)
	@scripts/fuzz.sh "$(FUZZTIME)"

cover: go ## measure how much of the code the tests run, into .cache/cover.html
	@mkdir -p .cache
	@go test -coverpkg=./... -coverprofile=.cache/cover.out ./...
	@go tool cover -html=.cache/cover.out -o .cache/cover.html
	@go tool cover -func=.cache/cover.out | tail -n 1

bench: go ## measure Lockstep beside its peers and rewrite docs/performance.md
	@cd bench && go run . -update ../docs/performance.md

clean: ## remove what was built
	@rm -rf bin .cache

go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or later, https://go.dev/doc/install" >&2; exit 1; }
