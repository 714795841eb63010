package setup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// toolHome is a home directory with oidc-cred in it.
type toolHome struct {
	t    *testing.T
	dir  string
	env  map[string]string
	last string // what the last run said
}

func isUsage(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Usage
}

func newToolHome(t *testing.T) *toolHome {
	t.Helper()
	h := &toolHome{t: t, dir: t.TempDir(), env: map[string]string{}}
	h.write("bin/oidc-cred", "")
	return h
}

func (h *toolHome) path(name string) string { return filepath.Join(h.dir, filepath.FromSlash(name)) }

func (h *toolHome) write(name, text string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// read gives a file's text, "(none)" without one.
func (h *toolHome) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(h.path(name))
	if os.IsNotExist(err) {
		return "(none)"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

func (h *toolHome) common(out *bytes.Buffer) Common {
	return Common{Profile: "work", Executable: h.path("bin/oidc-cred"), Home: h.dir, Out: out, Getenv: func(name string) string { return h.env[name] }}
}

func (h *toolHome) cargo(c Cargo) error {
	var out bytes.Buffer
	common := h.common(&out)
	common.Print, common.Remove = c.Print, c.Remove
	if c.Profile != "" {
		common.Profile = c.Profile
	}
	c.Common = common
	err := c.Run(h.t.Context())
	h.last = out.String()
	return err
}

func TestSetupCargo(t *testing.T) {
	const index = "sparse+https://crates.example.com/index/"
	h := newToolHome(t)
	entry := "[registries.corp]\nindex = \"" + index + "\" # by oidc-cred setup\ncredential-provider = [" +
		tomlString(h.path("bin/oidc-cred")) + `, "helper", "cargo", "--profile", "work"]` + "\n"
	const file = ".cargo/config.toml"
	corp := Cargo{Registry: "corp", Index: index}

	// Nothing was there.
	if err := h.cargo(Cargo{Registry: "corp", Index: index, Common: Common{Print: true}}); err != nil || h.read(file) != "(none)" {
		t.Fatalf("%v\n%s", err, h.read(file))
	}
	if !strings.Contains(h.last, "credential-provider = [") || !strings.Contains(h.last, h.path(file)) {
		t.Errorf("said %q", h.last)
	}
	if err := h.cargo(corp); err != nil || h.read(file) != entry {
		t.Fatalf("%v\n%s", err, h.read(file))
	}
	if !strings.Contains(h.last, "cargo now asks oidc-cred for the registry corp with profile work") {
		t.Errorf("said %q", h.last)
	}
	if err := h.cargo(corp); err != nil || h.read(file) != entry || !strings.Contains(h.last, "nothing to change") {
		t.Errorf("again: %v, said %q\n%s", err, h.last, h.read(file))
	}
	if err := h.cargo(Cargo{Registry: "corp", Common: Common{Remove: true}}); err != nil || h.read(file) != "" {
		t.Errorf("removed: %v\n%s", err, h.read(file))
	}
	if err := h.cargo(Cargo{Registry: "corp", Common: Common{Remove: true}}); err != nil || !strings.Contains(h.last, "nothing to remove") {
		t.Errorf("removed again: %v, said %q", err, h.last)
	}

	// A file with everything in it.
	provider := entry[strings.Index(entry, "credential"):]
	h = newToolHome(t)
	provider = strings.Replace(provider, provider[strings.Index(provider, "[")+1:strings.Index(provider, ",")], tomlString(h.path("bin/oidc-cred")), 1)
	const before = "# mine\n[build]\njobs = 2 # two\n\n[registries.other]\nindex = \"https://other.example.com/git\"\n\n[registries.corp]\n# the company's\nindex = \"sparse+https://crates.example.com/index\"\n\n[net]\ngit-fetch-with-cli = true\n"
	h.write(file, before)
	if err := h.cargo(Cargo{Registry: "corp"}); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "index\"\n\n[net]", "index\"\n"+provider+"\n[net]", 1)
	if h.read(file) != want || h.read(file+backupSuffix) != before {
		t.Errorf("changed\n%s\nwant\n%s\nbackup\n%s", h.read(file), want, h.read(file+backupSuffix))
	}
	h.write(file, strings.Replace(want, `"work"]`, `"work", "--offline"]`, 1))
	if err := h.cargo(Cargo{Registry: "corp"}); err != nil || !strings.Contains(h.read(file), `"work", "--offline"]`) {
		t.Errorf("a switch was lost: %v\n%s", err, h.read(file))
	}
	h.write(file, want)
	if err := h.cargo(Cargo{Registry: "corp", Common: Common{Profile: "home"}}); err != nil || h.read(file) != strings.Replace(want, `"work"`, `"home"`, 1) {
		t.Errorf("another profile: %v\n%s", err, h.read(file))
	}
	if err := h.cargo(Cargo{Registry: "corp", Common: Common{Remove: true, Print: true}}); err != nil || h.read(file) == before {
		t.Errorf("would remove: %v", err)
	}
	if err := h.cargo(Cargo{Registry: "corp", Common: Common{Remove: true}}); err != nil || h.read(file) != before || !strings.Contains(h.last, "the registry itself stays") {
		t.Errorf("removed: %v, said %q\n%s", err, h.last, h.read(file))
	}
}

func TestSetupCargoKeepsOthers(t *testing.T) {
	const file = ".cargo/config.toml"
	const other = "[registries]\ncorp = { index = \"sparse+https://crates.example.com/\" }\nlibs = { index = \"sparse+https://libs.example.com/\", credential-provider = [\"cargo:token\"] }\n"
	h := newToolHome(t)
	h.write(file, other)
	provider := "credential-provider = [" + tomlString(h.path("bin/oidc-cred")) + `, "helper", "cargo", "--profile", "work"]`
	for before, want := range map[string]string{
		other: strings.Replace(other, `crates.example.com/" }`, `crates.example.com/", `+provider+" }", 1),
		"registries.corp.index = \"sparse+https://crates.example.com/\" # c\n": "registries.corp.index = \"sparse+https://crates.example.com/\" # c\nregistries.corp." + provider + "\n",
		"[registries]\ncorp.index = \"sparse+https://crates.example.com/\"\n":  "[registries]\ncorp.index = \"sparse+https://crates.example.com/\"\ncorp." + provider + "\n",
	} {
		h.write(file, before)
		if err := h.cargo(Cargo{Registry: "corp"}); err != nil || h.read(file) != want {
			t.Errorf("%v\n%s", err, h.read(file))
		}
		if err := h.cargo(Cargo{Registry: "corp"}); err != nil || h.read(file) != want || !strings.Contains(h.last, "nothing to change") {
			t.Errorf("again: %v\n%s", err, h.read(file))
		}
		if err := h.cargo(Cargo{Registry: "corp", Common: Common{Remove: true}}); err != nil || h.read(file) != before || !strings.Contains(h.last, "itself stays") {
			t.Errorf("removed: %v, %q\n%s", err, h.last, h.read(file))
		}
	}
	h.write(file, "[registries.libs]\nindex = \"sparse+https://libs.example.com/\"\ncredential-provider = \"cargo:token\"\n")
	if err := h.cargo(Cargo{Registry: "libs"}); err == nil || hint(err) != "replace it with --force" {
		t.Errorf("another provider: %v", err)
	}
	if err := h.cargo(Cargo{Registry: "libs", Force: true}); err != nil || strings.Contains(h.read(file), "cargo:token") {
		t.Errorf("forced: %v\n%s", err, h.read(file))
	}
	h.write(file, "not TOML")
	if err := h.cargo(Cargo{Registry: "corp", Index: "sparse+https://crates.example.com/"}); err == nil || h.read(file) != "not TOML" {
		t.Errorf("no TOML: %v", err)
	}
}

func TestSetupCargoFile(t *testing.T) {
	corp := Cargo{Registry: "corp", Index: "sparse+https://crates.example.com"}
	h := newToolHome(t)
	h.env["CARGO_HOME"] = h.path("elsewhere")
	if err := h.cargo(corp); err != nil || !strings.Contains(h.read("elsewhere/config.toml"), `"sparse+https://crates.example.com/"`) {
		t.Errorf("CARGO_HOME: %v", err)
	}
	h = newToolHome(t)
	h.write(".cargo/config", "")
	if err := h.cargo(corp); err != nil || h.read(".cargo/config") == "" || h.read(".cargo/config.toml") != "(none)" {
		t.Errorf("the former name: %v", err)
	}
	entries, err := cargoEntries(h.common(nil))
	if err != nil || len(entries) != 1 || entries[0] != (Entry{Where: h.path(".cargo/config"), Host: "crates.example.com", Profile: "work", Program: h.path("bin/oidc-cred")}) {
		t.Errorf("entries %+v, %v", entries, err)
	}
}

func TestSetupCargoRefuses(t *testing.T) {
	for _, c := range []Cargo{
		{Registry: "", Index: "sparse+https://crates.example.com/"},
		{Registry: "a b", Index: "sparse+https://crates.example.com/"},
		{Registry: "a.b", Index: "sparse+https://crates.example.com/"},
		{Registry: "crates-io", Index: "sparse+https://index.crates.io/"},
		{Registry: "corp"},
		{Registry: "corp", Index: "crates.example.com"},
		{Registry: "corp", Index: "sparse+http://crates.example.com/"},
		{Registry: "corp", Index: "ssh://git@crates.example.com/index"},
		{Registry: "corp", Index: "sparse+https://*.example.com/"},
		{Registry: "corp", Index: "sparse+https://u:p@crates.example.com/"},
		{Registry: "corp", Index: "sparse+https://crates.example.com/\"\n"},
	} {
		h := newToolHome(t)
		if err := h.cargo(c); err == nil || h.read(".cargo/config.toml") != "(none)" {
			t.Errorf("%q %q: %v", c.Registry, c.Index, err)
		}
	}
	h := newToolHome(t)
	h.write(".cargo/config.toml", "[registries.corp]\nindex = \"sparse+https://crates.example.com/\"\n")
	if err := h.cargo(Cargo{Registry: "corp", Index: "sparse+https://crates.example.org/"}); err == nil {
		t.Error("two indexes of one name")
	}
}

func hint(err error) string {
	if e, ok := err.(interface{ Hint() string }); ok { //nolint:errorlint // as it was returned
		return e.Hint()
	}
	return ""
}

func FuzzTOMLString(f *testing.F) {
	for _, s := range []string{"", `C:\Program Files\x`, `it's "q"`, "a\x7f\n\x00é\u2028😀", `\'`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		tree, err := parseTOML([]byte("k = " + tomlString(s) + "\n"))
		if err != nil || tree["k"] != s {
			t.Fatalf("%q as %s: %v, %v", s, tomlString(s), tree, err)
		}
	})
}
