# `make test` is what CI runs. CONTRIBUTING.md explains the rest.
include tools/versions.mk

SHELL   := bash
TOOLS   := $(CURDIR)/.tools/bin
GO      ?= go
FUZZTIME ?= 10s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The keyring library connects to the session bus when a test binary that links
# it starts. The tests that want a bus start one of their own.
export DBUS_SESSION_BUS_ADDRESS = unix:path=/nonexistent

GOLANGCI_LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
STATICCHECK   := $(TOOLS)/staticcheck-$(STATICCHECK_VERSION)
GOVULNCHECK   := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
GORELEASER    := $(TOOLS)/goreleaser-$(GORELEASER_VERSION)

.PHONY: build
build: ## builds the program into ./bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/oidc-cred .

.PHONY: test
test: ## everything that CI checks
	@tools/parts setup tools fmt vet vet-cross lint staticcheck vuln unit windows e2e release-check

.PHONY: setup
setup: ## installs the programs that the tests drive (Debian, as root)
	@tools/setup

.PHONY: tools
tools: $(GOLANGCI_LINT) $(STATICCHECK) $(GOVULNCHECK) $(GORELEASER) ## builds the pinned tools

# $(call install,PACKAGE,VERSION): the version is part of the file's name, so
# that a new pin is a new file.
define install
	@mkdir -p $(TOOLS)
	GOFLAGS= CGO_ENABLED=0 GOBIN=$(TOOLS) $(GO) install -trimpath -ldflags '-s -w' $(1)@$(2)
	@mv $(TOOLS)/$(notdir $(3)) $@
endef

$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION),golangci-lint)
$(STATICCHECK):
	$(call install,honnef.co/go/tools/cmd/staticcheck,$(STATICCHECK_VERSION),staticcheck)
$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION),govulncheck)
$(GORELEASER):
	$(call install,github.com/goreleaser/goreleaser/v2,$(GORELEASER_VERSION),goreleaser)

.PHONY: fmt
fmt: ## fails if a file is not formatted
	@files=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l) && \
	if [[ -n $$files ]]; then echo "not formatted (run gofmt -w):"; echo "$$files"; exit 1; fi

.PHONY: vet
vet:
	$(GO) vet ./...
	cd e2e && $(GO) vet ./...
	cd e2e/registry && $(GO) vet ./...

.PHONY: vet-cross
vet-cross: ## type-checks what only other systems compile
	CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	CGO_ENABLED=0 GOOS=darwin $(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) run
	cd e2e && $(GOLANGCI_LINT) run
	cd e2e/registry && $(GOLANGCI_LINT) run

.PHONY: staticcheck
staticcheck: $(STATICCHECK)
	$(STATICCHECK) ./...

.PHONY: vuln
vuln: $(GOVULNCHECK)
	@tools/vuln $(GOVULNCHECK)

.PHONY: unit
unit: ## the module's own tests, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...

.PHONY: windows
windows: ## the Windows build, under Wine
	@tools/windows

.PHONY: e2e
e2e: ## real provider, browser, kubectl and git
	@# Not cached: the tests run a program that go test does not know they depend on.
	cd e2e && $(GO) test -count=1 -p 1 -timeout 20m ./...
	cd e2e/registry && $(GO) test -count=1 -timeout 20m ./...

.PHONY: release-check
release-check: $(GORELEASER) ## builds a release of this commit without publishing it
	$(GORELEASER) check
	$(GORELEASER) release --snapshot --clean --skip=sbom
	$(GO) run ./internal/krewcheck dist

.PHONY: bench
bench: ## measures whole commands, then the functions
	$(GO) run ./internal/bench -out docs/performance.md
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME
	@tools/fuzz $(FUZZTIME)

.PHONY: demo
demo: ## offline mode, shown against a provider of its own; BROWSER=1 with a real browser
	$(GO) run ./internal/demo $(if $(filter 1,$(BROWSER)),-browser)

.PHONY: clean
clean:
	rm -rf bin dist .tools e2e/artifacts e2e/provider/node_modules

.PHONY: help
help:
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16
