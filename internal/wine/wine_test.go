package wine

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// TestStory is a session from its beginning to its end, with the key in a file
// and in the Windows Credential Manager.
func TestStory(t *testing.T) {
	for _, store := range []string{"file", "wincred", "auto"} {
		t.Run(store, func(t *testing.T) {
			h := newHome(t, store)
			p := h.provider
			h.run("token").exits(3)
			h.login()

			first := h.token()
			p.ResetCounts()
			if again := h.token(); again != first || p.Count(oidctest.TokenEndpoint) != 0 {
				t.Error("the second token does not come from the cache")
			}
			if h.token("--force-refresh") == first {
				t.Error("a forced refresh brings the same token")
			}
			want := store
			if store == "auto" {
				want = "wincred"
			}
			if s := h.status(); s.State != "online" || s.Store != want || !s.HasRefresh {
				t.Errorf("status is %+v", s)
			}

			// While the provider is down the expired token is still given out,
			// with a warning.
			p.Lifetime(time.Second)
			last := h.token("--force-refresh")
			time.Sleep(1100 * time.Millisecond)
			p.Down()
			if r := h.run("token").exits(0).says("oidc-cred: warning: using_expired_token: "); r.stdout != last+"\n" {
				t.Errorf("offline, another token is printed")
			}
			if s := h.status(); s.State != "offline" {
				t.Errorf("status is %+v", s)
			}
			h.run("token", "--no-offline").exits(4)
			p.Up()
			p.Lifetime(time.Hour)
			h.token("--force-refresh")

			h.secretsSealed()
			h.run("logout").exits(0)
			h.run("token").exits(3)
			if p.Reused() != 0 {
				t.Errorf("%d spent refresh tokens were sent", p.Reused())
			}
			h.leftovers()
		})
	}
}

type statusJSON struct {
	State      string `json:"state"`
	Store      string `json:"store"`
	HasRefresh bool   `json:"has_refresh_token"`
}

func (h *home) status() statusJSON {
	h.t.Helper()
	var all struct{ Profiles []statusJSON }
	r := h.run("status", "-o", "json").exits(0)
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all.Profiles) != 1 {
		h.t.Fatalf("status prints %q: %v", r.stdout, err)
	}
	return all.Profiles[0]
}

// secretsSealed: no file holds one of the provider's secrets in clear.
func (h *home) secretsSealed() {
	h.t.Helper()
	h.files(func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, secret := range append(h.provider.Secrets(), passphrase) {
			if strings.Contains(string(data), secret) {
				h.t.Errorf("a secret, %.8s…, stands in clear in %s", secret, path)
			}
		}
	})
}

// leftovers: after a sign-out there is no sealed session, and no temporary
// file.
func (h *home) leftovers() {
	h.t.Helper()
	h.files(func(path string) {
		if strings.HasSuffix(path, ".sealed") || strings.HasSuffix(path, ".tmp") {
			h.t.Errorf("%s is left", path)
		}
	})
}

func (h *home) files(each func(path string)) {
	h.t.Helper()
	n := 0
	if err := filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
			each(path)
		}
		return err
	}); err != nil || n == 0 {
		h.t.Fatalf("%d files, %v", n, err)
	}
}

// TestFolders: without OIDC_CRED_HOME the configuration is in the roaming
// profile, all else in the local one.
func TestFolders(t *testing.T) {
	h := newHome(t, "wincred")
	h = h.with("OIDC_CRED_HOME=")
	users := filepath.Join(os.Getenv("WINEPREFIX"), "drive_c", "users", "*", "AppData")
	h.login("--profile", "folders")
	h.token("--profile", "folders")
	for _, pattern := range []string{
		"Roaming/oidc-cred/config.yaml",
		"Local/oidc-cred/state/sessions/*.sealed",
		"Local/oidc-cred/state/events.log",
		"Local/oidc-cred/cache/*",
	} {
		if found, _ := filepath.Glob(filepath.Join(users, pattern)); len(found) == 0 {
			t.Errorf("there is no %s", pattern)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(users, "Roaming/oidc-cred/*")); len(found) != 1 {
		t.Errorf("the roaming profile has %v", found)
	}
	h.run("logout", "--profile", "folders").exits(0)
}

// TestHelpers: git and kubectl speak over pipes, where no line end may change.
func TestHelpers(t *testing.T) {
	h := newHome(t, "file")
	config := "profiles:\r\n  work:\r\n    issuer: " + h.provider.Issuer() + "\r\n    client_id: oidc-cred\r\n    hosts: [git.example.com]\r\n"
	if err := os.WriteFile(filepath.Join(h.dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run("login").exits(0).says("Signed in as user-1")
	token := h.token()
	for _, end := range []string{"\n", "\r\n"} {
		in := strings.ReplaceAll("protocol=https\nhost=git.example.com\n\n", "\n", end)
		if r := h.runWith(in, "helper", "git", "get").exits(0); !strings.Contains(r.stdout, "password="+token+"\n") {
			t.Errorf("with the line end %q, git gets %d bytes\nstderr: %s", end, len(r.stdout), r.stderr)
		}
	}
	r := h.run("helper", "kubectl").exits(0)
	var credential struct {
		Kind   string
		Status struct{ Token string }
	}
	id := strings.TrimSuffix(h.run("token", "--type", "id").exits(0).stdout, "\n")
	if err := json.Unmarshal([]byte(r.stdout), &credential); err != nil || credential.Kind != "ExecCredential" || credential.Status.Token != id {
		t.Errorf("kubectl gets %s %v", credential.Kind, err)
	}
}

// TestSetup: what is written into the files of git and kubectl finds the
// program. git runs helpers with a POSIX shell, which takes backslashes for
// escapes.
func TestSetup(t *testing.T) {
	h := newHome(t, "file")
	h.login()
	r := h.run("setup", "git", "git.example.com", "--print").exits(0)
	slashed := strings.ReplaceAll(windowsPath(program), `\`, "/")
	if !strings.Contains(r.stdout, slashed) {
		t.Errorf("git gets\n%s\nwant the path %s", r.stdout, slashed)
	}
	r = h.run("setup", "kubectl", "--print").exits(0)
	if !strings.Contains(r.stdout, "command: "+windowsPath(program)) {
		t.Errorf("kubectl gets\n%s", r.stdout)
	}
}

// TestSecretCommands: a command of the configuration runs in cmd.exe, quotes
// and all.
func TestSecretCommands(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "some secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"pass": passphrase + "\r\n", "client": "hush & more"} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := newHome(t, "file")
	h.provider.Close()
	h.provider = oidctest.New(oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", Secret: "hush & more"}}})
	t.Cleanup(h.provider.Close)
	quoted := func(name string) string { return `'type "` + windowsPath(filepath.Join(secrets, name)) + `"'` }
	config := "profiles:\n  work:\n    issuer: " + h.provider.Issuer() + "\n    client_id: oidc-cred\n" +
		"    passphrase_command: " + quoted("pass") + "\n    client_secret_command: " + quoted("client") + "\n"
	if err := os.WriteFile(filepath.Join(h.dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	h = h.with("OIDC_CRED_PASSPHRASE=")
	h.run("login").exits(0)
	h.token("--force-refresh")
	failing := strings.Replace(config, quoted("pass"), "exit 3", 1)
	if err := os.WriteFile(filepath.Join(h.dir, "config.yaml"), []byte(failing), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run("token").exits(5)
}

// TestPastedAddress: Windows ends a line with a carriage return too.
func TestPastedAddress(t *testing.T) {
	h := newHome(t, "file")
	p := h.start("login", "--issuer", h.provider.Issuer(), "--client-id", "oidc-cred", "--no-browser")
	address := p.await(regexp.MustCompile(`http://\S+authorize\?\S+`))
	p.types("http://127.0.0.1/nothing\r\n")
	p.await(regexp.MustCompile("That is not it: "))
	client := &http.Client{Timeout: deadline, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), h.provider.Issuer()) {
			return nil
		}
		return http.ErrUseLastResponse
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	p.types(answer.Header.Get("Location") + "\r\n")
	p.wait().exits(0).says("Signed in as user-1")
}

// TestInterrupt is Ctrl-C, which Wine makes of the signal.
func TestInterrupt(t *testing.T) {
	h := newHome(t, "file")
	p := h.start("login", "--issuer", h.provider.Issuer(), "--client-id", "oidc-cred", "--no-browser")
	p.await(regexp.MustCompile(`authorize\?`))
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.wait().exits(130).says("oidc-cred: error: interrupted\n")
}

// TestExitCodes: those that have not come up yet.
func TestExitCodes(t *testing.T) {
	h := newHome(t, "file")
	h.run("--no-such-flag").exits(2)
	h.run("no-such-command").exits(2)
	h.run("version").exits(0)
	h.login()
	h.with("OIDC_CRED_PASSPHRASE=").run("token").exits(5)
	h.with("OIDC_CRED_STORE=secret-service").run("token").exits(5)
	h.provider.RevokeAll()
	h.run("token", "--force-refresh").exits(3)
}
