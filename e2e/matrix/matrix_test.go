package matrix

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

var update = flag.Bool("update", false, "write the table into docs/providers.md")

const (
	page = "../../docs/providers.md"
	from = "<!-- made by: go test ./matrix -update (in e2e) -->\n"
	to   = "<!-- end of the table -->\n"
)

// The page has the table of this package.
func TestPage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), from)
	_, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	want := before + from + Table() + to + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { // #nosec G306 -- a page
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s has another table; in e2e: go test ./matrix -update", page)
	}
	for _, p := range Providers() {
		if !strings.Contains(string(data), p.Version) {
			t.Errorf("%s does not name version %s of %s", page, p.Version, p.Name)
		}
	}
}

func TestFeatures(t *testing.T) {
	var names []string
	for _, f := range Features() {
		if slices.Contains(names, f.Name) || f.Text == "" {
			t.Errorf("%s: twice, or without a text", f.Name)
		}
		names = append(names, f.Name)
	}
	for _, p := range Providers() {
		for i, feature := range p.Tested {
			if !slices.Contains(names, feature) || slices.Contains(p.Tested[:i], feature) {
				t.Errorf("%s: %s is no feature, or is there twice", p.Name, feature)
			}
		}
		if _, err := os.Stat(filepath.Join("..", strings.TrimPrefix(p.Dir, "e2e"))); err != nil {
			t.Error(err)
		}
	}
}

// The versions are those that the tests run.
func TestVersions(t *testing.T) {
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, p := range Providers() {
		var found bool
		switch p.Name {
		case "oidc-provider":
			found = strings.Contains(read("../provider/package.json"), fmt.Sprintf("%q: %q", p.Name, p.Version))
		case "zitadel/oidc":
			found = strings.Contains(read("../go.mod"), "github.com/zitadel/oidc/v3 v"+p.Version+"\n")
		case "Glewlwyd":
			out, err := exec.CommandContext(t.Context(), testenv.Program(t, "glewlwyd"), "--version").Output()
			if err != nil {
				t.Fatal(err)
			}
			found = strings.Contains(string(out), p.Version)
		}
		if !found {
			t.Errorf("%s is tested in another version than %s", p.Name, p.Version)
		}
	}
}

// A claim that is not true is found.
func TestCompare(t *testing.T) {
	p := Provider{Test: "TestX", Tested: []string{"code", "pkce", "dpop"}}
	for _, test := range []struct {
		ran     map[string]string
		strict  bool
		problem string
	}{
		{map[string]string{"code": "passed", "pkce": "passed", "dpop": "passed"}, true, ""},
		{map[string]string{"code": "failed", "pkce": "passed", "dpop": "passed"}, true, ""}, // the test itself says so
		{map[string]string{"code": "passed", "pkce": "passed"}, false, "TestX/dpop, which did not run"},
		{map[string]string{"code": "passed", "pkce": "passed", "dpop": "skipped"}, true, "TestX/dpop, which was skipped"},
		{map[string]string{"code": "passed", "pkce": "passed", "dpop": "skipped"}, false, ""},
		{map[string]string{"code": "passed", "pkce": "passed", "dpop": "passed", "mtls": "passed"}, false, "TestX/mtls ran and is missing"},
		{nil, true, "TestX/code, which did not run"},
		{nil, false, ""},
	} {
		problems := compare(p, test.ran, test.strict)
		text := fmt.Sprint(problems)
		if (test.problem == "") != (len(problems) == 0) || !strings.Contains(text, test.problem) {
			t.Errorf("%v: %s, want %q", test.ran, text, test.problem)
		}
	}
}

func TestRun(t *testing.T) {
	Run(t, "code", func(*testing.T) {})
	Run(t, "pkce", func(t *testing.T) { t.Skip("for the test") })
	mu.Lock()
	defer mu.Unlock()
	if r := results["TestRun"]; r["code"] != "passed" || r["pkce"] != "skipped" {
		t.Errorf("results %v", r)
	}
}
