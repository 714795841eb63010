package setup

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestCallable(t *testing.T) {
	h := newLinkHome(t)
	gone := filepath.Join(filepath.Dir(h.Executable), "gone", linkName("oidc-cred"))
	h.program(filepath.Join(h.Home, "bin", linkName("oidc-cred")), "the program")
	for program, want := range map[string]string{
		"":                               "",
		h.Executable:                     "",
		"~/bin/" + linkName("oidc-cred"): "",
		"$HOME/bin/oidc-cred":            "",
		gone:                             gone + " is not there (run the setup again)",
		filepath.Dir(h.Executable):       "is no program that can be run",
		"oidc-cred":                      "",
		dockerLink:                       dockerLink + " is not in PATH (run the setup again)",
	} {
		got := said(h.Callable(Entry{Program: program}))
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q", program, got)
		}
	}

	// A link that is nowhere in PATH is one that PATH can be told of.
	h.BinDir = filepath.Join(h.Home, "links")
	link := h.mustLink(dockerLink, true)
	entry := Entry{Program: dockerLink, Link: link}
	if got := said(h.Callable(entry)); got != dockerLink+" is not in PATH (add "+h.BinDir+" to it)" {
		t.Errorf("not in PATH: %q", got)
	}
	h.path = h.BinDir
	if err := h.Callable(entry); err != nil {
		t.Error(err)
	}
	if err := os.Remove(h.Executable); err != nil {
		t.Fatal(err)
	}
	if err := h.Callable(entry); err == nil && runtime.GOOS != "windows" {
		t.Error("a link that leads nowhere is callable")
	}
}

// pip and uv ask the command only where they are told to.
func TestCallableKeyring(t *testing.T) {
	h := newLinkHome(t)
	env := map[string]string{}
	h.Getenv = func(name string) string { return env[name] }
	h.BinDir = filepath.Join(h.Home, "links")
	env["PATH"] = h.BinDir
	entry := Entry{Program: keyringLink, Link: h.mustLink(keyringLink, true)}
	if got := said(h.Callable(entry)); !strings.HasPrefix(got, "PIP_KEYRING_PROVIDER is not set (set it to subprocess") {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"} {
		env[name] = "subprocess"
		if err := h.Callable(entry); err != nil {
			t.Error(err)
		}
		delete(env, name)
	}
	config := filepath.Join(h.Home, "pip.conf")
	env["PIP_CONFIG_FILE"] = config
	h.program(config, "[global]\nkeyring-provider = subprocess\n")
	if err := h.Callable(entry); err != nil {
		t.Error(err)
	}
	other := filepath.Join(h.Home, "other")
	h.program(filepath.Join(other, linkName(keyringLink)), "another")
	env["PATH"] = other + string(os.PathListSeparator) + h.BinDir
	if got := said(h.Callable(entry)); !strings.Contains(got, "comes first in PATH and is not oidc-cred's (put "+h.BinDir+" before it)") {
		t.Errorf("%q", got)
	}
}

// said is an error with its advice.
func said(err error) string {
	e, ok := err.(*Error) //nolint:errorlint // as it is returned
	if !ok {
		return ""
	}
	return e.Message + " (" + e.Advice + ")"
}
