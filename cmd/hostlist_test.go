package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHostList(t *testing.T) {
	const head = "# mine\n\ndefault_profile: work\n\nprofiles:\n  work: # theirs\n    issuer: https://id.example.com\n"
	const tail = "\n  # another\n  home:\n    hosts: [x.example.com]\n"
	for name, c := range map[string]struct{ list, host, want string }{
		"block":              {"    hosts:\n      - a.example.com # k\n      # why\n      - b.example.com # l\n", "c.example.com", "    hosts:\n      - a.example.com # k\n      # why\n      - b.example.com # l\n      - c.example.com\n"},
		"block, no indent":   {"    hosts:\n    -   'a.example.com' # k\n", "*.example.com", "    hosts:\n    -   'a.example.com' # k\n    -   '*.example.com'\n"},
		"flow":               {"    hosts: [ a.example.com ] # k\n", "c.example.com:8443", "    hosts: [ a.example.com, 'c.example.com:8443' ] # k\n"},
		"flow, comma":        {"    hosts: [a.example.com,]\n", "c.example.com", "    hosts: [a.example.com, c.example.com,]\n"},
		"flow, address":      {"    hosts: [\"a.example.com\"]\n", "[::1]:8443", "    hosts: [\"a.example.com\", '[::1]:8443']\n"},
		"flow, lines":        {"    hosts: [\n      a.example.com, # k\n      b.example.com\n    ] # z\n", "c.example.com", "    hosts: [\n      a.example.com, # k\n      b.example.com,\n      c.example.com\n    ] # z\n"},
		"flow, lines, note":  {"    hosts: [\n      a.example.com, # k\n      b.example.com # l, m\n    ]\n", "c.example.com", "    hosts: [\n      a.example.com, # k\n      b.example.com, # l, m\n      c.example.com\n    ]\n"},
		"flow, lines, comma": {"    hosts: [\n      a.example.com, # k\n      b.example.com, # l\n    ]\n", "c.example.com", "    hosts: [\n      a.example.com, # k\n      b.example.com, # l\n      c.example.com,\n    ]\n"},
		"flow, end in line":  {"    hosts: [a.example.com, # k\n      b.example.com]\n", "c.example.com", "    hosts: [a.example.com, # k\n      b.example.com, c.example.com]\n"},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(name+strings.Repeat(", Windows", len(eol)-1), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "config.yaml")
				as := func(list string) string { return strings.ReplaceAll(head+list+tail, "\n", eol) }
				if err := os.WriteFile(path, []byte(as(c.list)), 0o600); err != nil {
					t.Fatal(err)
				}
				var a app
				a.paths.config = path
				for _, step := range []struct {
					add  bool
					want string
				}{{true, c.want}, {false, c.list}} {
					if err := a.saveHost("work", c.host, step.add); err != nil {
						t.Fatal(err)
					}
					if got, _ := os.ReadFile(path); string(got) != as(step.want) {
						t.Errorf("add %v: the file is\n%s\nwant\n%s", step.add, got, as(step.want))
					}
				}
			})
		}
	}
}

func TestHostListOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		before, host string
		add          bool
		want         string // "": refused
	}{
		"none":            {"profiles:\n  work:\n    issuer: https://a.example\n", "h.example", true, "profiles:\n  work:\n    issuer: https://a.example\n    hosts: [h.example]\n"},
		"empty":           {"profiles:\n  work:\n    hosts: []\n", "h.example", true, "profiles:\n  work:\n    hosts: [h.example]\n"},
		"null":            {"profiles:\n  work:\n    hosts:\n", "h.example", true, "profiles:\n  work:\n    hosts: [h.example]\n"},
		"the only one":    {"profiles:\n  work:\n    issuer: https://a.example\n    hosts:\n      - h.example\n", "h.example", false, "profiles:\n  work:\n    issuer: https://a.example\n"},
		"the first":       {"profiles:\n  work:\n    hosts: [h.example, b]\n", "h.example", false, "profiles:\n  work:\n    hosts: [b]\n"},
		"first of block":  {"profiles:\n  work:\n    hosts:\n    - h.example # mine\n    - b # k\n", "h.example", false, "profiles:\n  work:\n    hosts:\n    - b # k\n"},
		"in one line":     {"profiles: {work: {hosts: [b]}}\n", "h.example", true, "profiles: {work: {hosts: [b, h.example]}}\n"},
		"twice":           {"profiles:\n  work:\n    hosts: [h.example, b, h.example]\n", "h.example", false, "profiles:\n  work:\n    hosts: [b]\n"},
		"no line end":     {"profiles:\n  work:\n    hosts:\n      - b", "h.example", true, "profiles:\n  work:\n    hosts:\n      - b\n      - h.example"},
		"an empty one":    {"profiles:\n  work:\n", "h.example", true, "profiles:\n  work:\n    hosts: [h.example]\n"},
		"another's list":  {"profiles:\n  work:\n    hosts: *x\n  home:\n    hosts: [b]\n", "h.example", true, ""},
		"an alias":        {"profiles:\n  home:\n    hosts: &x [b]\n  work:\n    hosts: *x\n", "h.example", true, "profiles:\n  home:\n    hosts: &x [b]\n  work:\n    hosts: [b, h.example]\n"},
		"a shared one":    {"profiles:\n  work:\n    hosts: &x [b]\n  home:\n    hosts: *x\n", "h.example", true, ""},
		"no such profile": {"profiles:\n  home:\n    hosts: [b]\n", "h.example", true, ""},
	} {
		got, err := editHost([]byte(c.before), "work", c.host, c.add)
		if c.want == "" && err == nil || c.want != "" && (err != nil || string(got) != c.want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
	}
}
