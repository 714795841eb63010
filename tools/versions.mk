# The tools that the Makefile builds, each at one version. They are installed
# with `go install PACKAGE@VERSION` into .tools/bin, with the dependencies that
# their own go.mod fixes, so that the product's go.mod holds none of them.
GOLANGCI_LINT_VERSION := v2.15.0
STATICCHECK_VERSION   := v0.8.2
GOVULNCHECK_VERSION   := v1.9.0
GORELEASER_VERSION    := v2.15.1
