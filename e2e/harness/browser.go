package harness

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// Browser is a scripted person at a real headless Chromium.
type Browser struct {
	// Program is what BROWSER is set to.
	Program string
	report  string
}

// BrowserOptions say what the person does.
type BrowserOptions struct {
	// Action is login (the default), deny, abandon, device or logout.
	Action string
	// User signs in; alice by default. The password is any by default.
	User, Password string
	// Screenshot names a picture of the last page, left in e2e/artifacts.
	Screenshot string
	// TrustAny accepts the test's certificates.
	TrustAny bool
	// Quick sends the pages' forms without a browser, in a tenth of the time:
	// for tests that are not about what a person sees.
	Quick bool
	// Script is another than browser.mjs, for a provider with pages of its own.
	Script string
}

// BrowserReport is what the person saw at the end.
type BrowserReport struct {
	// Opened is the address that the program gave to the browser.
	Opened string
	// URL and the rest are the last page's.
	URL, Title, Heading, Text string
	// Pages were shown, in order: "provider /interaction/…".
	Pages []string
}

// NewBrowser makes a script that opens the address in its argument.
func NewBrowser(t testing.TB, o BrowserOptions) *Browser {
	t.Helper()
	dir := t.TempDir()
	b := &Browser{Program: filepath.Join(dir, "browser"), report: filepath.Join(dir, "report.json")}
	env := map[string]string{
		"E2E_REPORT":   b.report,
		"E2E_ACTION":   o.Action,
		"E2E_USER":     o.User,
		"E2E_PASSWORD": o.Password,
	}
	person := "visit.mjs"
	if !o.Quick {
		person = cmp.Or(o.Script, "browser.mjs")
		env["E2E_CHROMIUM"] = chromium(t)
	}
	if o.Screenshot != "" {
		env["E2E_SCREENSHOT"] = Artifact(t, o.Screenshot)
	}
	if o.TrustAny {
		env["E2E_TRUST_ANY"] = "1"
	}
	var script strings.Builder
	script.WriteString("#!/bin/sh\nexport NODE_NO_WARNINGS=1\n")
	for name, value := range env {
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	fmt.Fprintf(&script, "exec '%s' '%s' \"$1\" >'%s' 2>&1\n",
		testenv.Program(t, "node"), filepath.Join(NodeModules(t, "provider"), person), filepath.Join(dir, "log"))
	if err := os.WriteFile(b.Program, []byte(script.String()), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && len(log) > 0 {
			t.Logf("browser: %s", log)
		}
	})
	return b
}

// Open does what the program does with BROWSER. userCode is what a device
// shows, "" for none.
func (b *Browser) Open(t testing.TB, url, userCode string) BrowserReport {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), b.Program, url)
	cmd.Env = append(os.Environ(), "E2E_USER_CODE="+userCode)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("browser: %v\n%s", err, out)
	}
	return b.Report(t)
}

// Report waits for the browser to be done.
func (b *Browser) Report(t testing.TB) BrowserReport {
	t.Helper()
	var report BrowserReport
	Eventually(t, 30*time.Second, "the browser's report", func() bool {
		data, err := os.ReadFile(b.report)
		return err == nil && json.Unmarshal(data, &report) == nil
	})
	if err := os.Remove(b.report); err != nil {
		t.Fatal(err)
	}
	return report
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return testenv.Program(t, "chromium")
}

// Eventually waits until something outside this process has happened.
func Eventually(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
