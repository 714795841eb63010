package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// witness keeps all that the program lets others see: its arguments, stderr,
// stdout where no token belongs, and the files it leaves. When the test ends,
// none of the provider's secrets may be found in it.
type witness struct {
	mu      sync.Mutex
	text    strings.Builder
	folders []string
}

func newWitness(t testing.TB, p *oidctest.Provider) *witness {
	w := &witness{}
	// Cleanups run last in, first out: before the temporary folders go.
	t.Cleanup(func() { w.check(t, p.Secrets()) })
	return w
}

// folder is looked through at the end.
func (w *witness) folder(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folders = append(w.folders, dir)
}

// ran notes what a call has shown.
func (w *witness) ran(r result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.WriteString(strings.Join(r.args, " ") + "\n" + r.stderr + "\n")
	if len(r.args) > 0 && r.args[0] != "token" && r.args[0] != "helper" {
		w.text.WriteString(r.stdout + "\n")
	}
}

// note is any other text that must be free of secrets.
func (w *witness) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.WriteString(text + "\n")
}

func (w *witness) check(t testing.TB, secrets []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	secrets = append(secrets, passphrase)
	report := func(where, text string) {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("a secret, %.8s…, stands in clear in %s", s, where)
			}
		}
	}
	report("the output or the arguments", w.text.String())
	for _, dir := range w.folders {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil //nolint:nilerr // what can't be read here is read by nobody
			}
			if data, err := os.ReadFile(path); err == nil {
				report(path, string(data))
			}
			return nil
		})
	}
}
