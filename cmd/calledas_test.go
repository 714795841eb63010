package cmd

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func TestArgsFor(t *testing.T) {
	t.Parallel()
	for called, want := range map[string]string{
		"oidc-cred":                                   "x",
		"/opt/oidc-cred":                              "x",
		"oidc-cred-linux-amd64":                       "x",
		"oidc-cred-1.2.3":                             "x",
		"oidc-cred.exe":                               "x",
		"./git-credential-oidc-cred":                  "helper git x",
		"kubectl-oidc_cred":                           "x", // kubectl oidc-cred login
		"/a/docker-credential-oidc-cred":              "helper docker x",
		"docker-credential-oidc-cred.EXE":             "helper docker x",
		"terraform-credentials-oidc-cred":             "helper terraform x",
		"cargo-credential-oidc-cred":                  "helper cargo x",
		"keyring":                                     "helper keyring x",
		"oidc-cred-pnpm":                              "helper pnpm x",
		"/home/a b/bin/oidc-cred-pnpm@Work.1":         "helper pnpm --profile Work.1 x",
		`C:\bin\docker-credential-oidc-cred@work.exe`: "helper docker --profile work x",
		"oidc-cred-@work":                             "x",
		".exe":                                        "x",
		"oidc-cred-vault@":                            "helper vault x",
	} {
		if got := strings.Join(argsFor([]string{called, "x"}), " "); got != want {
			t.Errorf("%s: %s, want %s", called, got, want)
		}
	}
	if got := argsFor([]string{"kubectl-oidc_cred", "--profile", "work"}); !slices.Equal(got, []string{"helper", "kubectl", "--profile", "work"}) {
		t.Errorf("as kubectl calls it: %q", got)
	}
	if got := argsFor([]string{"kubectl-oidc_cred"}); !slices.Equal(got, []string{"helper", "kubectl"}) {
		t.Errorf("as kubectl calls it: %q", got)
	}
	if argsFor(nil) != nil || len(argsFor([]string{"oidc-cred"})) != 0 {
		t.Error("no arguments")
	}
}

// Every helper can be called by its name, and the names lead to helpers.
func TestEveryHelperHasItsName(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys((&app{}).helperMakers()))
	for _, name := range names {
		if got := calledAs("oidc-cred-" + name); got != name {
			t.Errorf("oidc-cred-%s is %q", name, got)
		}
	}
	for _, name := range []string{"git-credential-oidc-cred", "kubectl-oidc_cred", "docker-credential-oidc-cred", "terraform-credentials-oidc-cred", "cargo-credential-oidc-cred", "keyring"} {
		if !slices.Contains(names, calledAs(name)) {
			t.Errorf("%s is %q", name, calledAs(name))
		}
	}
}

func calledAs(name string) string {
	protocol, _ := helper.Called(name)
	return protocol
}

// Of the helpers and setups only the called one is made: each flag costs time.
func TestOnlyTheCalledIsMade(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"helper", "git", "get"}, {"setup", "docker"}} {
		c := (&app{}).root(args)
		for range 2 {
			if n := len(c.Commands()); n != 1 {
				t.Fatalf("%v: %s has %d subcommands", args, c.Name(), n)
			}
			c = c.Commands()[0]
		}
		if c.Name() != args[1] {
			t.Errorf("%v: made %s", args, c.Name())
		}
	}
}

// The list of tools and the setups are the same.
func TestEverySetupIsListed(t *testing.T) {
	t.Parallel()
	makers := (&app{}).setupMakers()
	for _, tool := range setup.Tools() {
		name, _, _ := strings.Cut(tool.Usage, " ")
		if makers[tool.Name] == nil || name != tool.Name || tool.Entries == nil || len(tool.Programs) == 0 {
			t.Errorf("%s: %+v", tool.Name, tool)
		}
		delete(makers, tool.Name)
	}
	for name := range makers {
		t.Errorf("%s is not listed", name)
	}
}
