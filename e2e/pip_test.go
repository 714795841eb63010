package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// packageIndex is the simple repository API with one package.
func packageIndex(t *testing.T) http.Handler {
	t.Helper()
	var wheel bytes.Buffer
	z := zip.NewWriter(&wheel)
	for name, content := range map[string]string{
		"hello.py":                      "print('hello from the index')\n",
		"hello-1.0.dist-info/METADATA":  "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
		"hello-1.0.dist-info/WHEEL":     "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"hello-1.0.dist-info/RECORD":    "hello.py,,\nhello-1.0.dist-info/METADATA,,\nhello-1.0.dist-info/WHEEL,,\nhello-1.0.dist-info/RECORD,,\n",
		"hello-1.0.dist-info/INSTALLER": "pip\n",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/hello/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!DOCTYPE html><html><body><a href="/files/hello-1.0-py3-none-any.whl">hello-1.0-py3-none-any.whl</a></body></html>`)
	})
	mux.HandleFunc("GET /files/hello-1.0-py3-none-any.whl", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wheel.Bytes()) })
	return mux
}

// pythonist is a person with pip set up for an index.
type pythonist struct {
	*packager
	pip, bin string
}

func newPythonist(t *testing.T, o harness.ProviderOptions, more string) *pythonist {
	t.Helper()
	c := &pythonist{pip: testenv.Program(t, "pip3")}
	c.packager = newPackager(t, o, more)
	c.server = newTokenServer(t, c.provider, `Basic realm="index"`, packageIndex(t))
	c.Set("PIP_CERT", c.server.cert.CAFile)
	c.Set("PIP_DISABLE_PIP_VERSION_CHECK", "1")
	c.Set("PIP_NO_CACHE_DIR", "1")
	c.OK(t, "setup", "pip", "https://"+c.server.Host+"/simple/")
	c.bin = filepath.Join(filepath.Dir(c.Home), ".local", "share", "oidc-cred", "bin")
	c.Set("PATH", c.bin+string(os.PathListSeparator)+c.path())
	c.Set("PIP_KEYRING_PROVIDER", "subprocess")
	return c
}

// path is the PATH that programs get.
func (c *pythonist) path() string {
	path := ""
	for _, v := range c.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	return path
}

// download fetches the package from the index at the host. pip that knows no
// user name asks only newer keyring commands, so the URL has one.
func (c *pythonist) download(t *testing.T, host string) harness.Result {
	t.Helper()
	return c.Program(t, harness.Input{Dir: t.TempDir()}, c.pip, "download", "--no-deps", "--index-url", "https://oauth2@"+host+"/simple/", "hello")
}

func TestPip(t *testing.T) {
	c := newPythonist(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	r := c.download(t, c.server.Host)
	c.ok(t, r)
	if !strings.Contains(r.Stdout, "hello-1.0-py3-none-any.whl") || strings.Contains(r.Stdout+r.Stderr, "oidc-cred:") {
		t.Errorf("%s\n%s", r.Stdout, r.Stderr)
	}
	taken, refused, last := c.server.seen()
	if taken < 2 || refused != 0 || last != token.Token || strings.Join(c.server.users, " ") != "oauth2" {
		t.Errorf("%d requests with the token, %d refused, as %q", taken, refused, c.server.users)
	}

	// The same server by another name, which no profile has.
	if r := c.download(t, strings.Replace(c.server.Host, "127.0.0.1", "localhost", 1)); r.Code == 0 {
		t.Errorf("a host that is not mapped was let in: %s", r.Stdout)
	}
	if again, refused, _ := c.server.seen(); again != taken || refused != 0 {
		t.Errorf("the token went to a host that is not mapped")
	}
	noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
}

func TestPipExpiry(t *testing.T) {
	c := newPythonist(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, offlineEnabled)
	token, _ := c.Token(t)
	waitPast(t, token)
	c.ok(t, c.download(t, c.server.Host))
	if _, refused, last := c.server.seen(); last == token.Token || refused != 0 {
		t.Errorf("the expired token was sent (%d refused)", refused)
	}

	token, _ = c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	c.server.set(func(s *tokenServer) { s.lenient = true })
	c.ok(t, c.download(t, c.server.Host))
	if _, _, last := c.server.seen(); last != token.Token {
		t.Error("another token")
	}
	c.provider.Up(t)
	c.OK(t, "logout")
	if r := c.download(t, c.server.Host); r.Code == 0 {
		t.Errorf("signed out: %s", r.Stdout)
	}
}

// A keyring command that was there before is asked about everything else, and
// gives what it gave.
func TestPipKeepsKeyring(t *testing.T) {
	c := newPythonist(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	theirs := t.TempDir()
	script := "#!/bin/sh\necho \"real $*\"\n[ \"$1\" != del ]\n"
	if err := os.WriteFile(filepath.Join(theirs, "keyring"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Set("PATH", c.path()+string(os.PathListSeparator)+theirs)
	url := "https://" + c.server.Host + "/simple/"
	for _, tt := range []struct {
		args string
		out  string
		code int
	}{
		{"get " + url + " ada", token.Token + "\n", 0},
		{"get " + c.server.Host + " ada", token.Token + "\n", 0},
		{"get " + url + " --mode creds", "oauth2\n" + token.Token + "\n", 0},
		{"--mode=creds --output=json get " + url, `{"username":"oauth2","password":"` + token.Token + "\"}\n", 0},
		{"--mode=creds --output=json get " + url + " ada", `{"username":"ada","password":"` + token.Token + "\"}\n", 0},
		{"get https://other.example.com/simple/ ada", "real get https://other.example.com/simple/ ada\n", 0},
		{"--mode=creds --output=json get https://other.example.com/", "real --mode=creds --output=json get https://other.example.com/\n", 0},
		{"del mail ada", "real del mail ada\n", 1},
		{"--list-backends", "real --list-backends\n", 0},
	} {
		r := c.Program(t, harness.Input{}, filepath.Join(c.bin, "keyring"), strings.Fields(tt.args)...)
		if r.Code != tt.code || r.Stdout != tt.out || r.Stderr != "" {
			t.Errorf("keyring %s: exit %d, %q, %q", tt.args, r.Code, r.Stdout, r.Stderr)
		}
	}
}

func TestPipSetupTwiceAndBack(t *testing.T) {
	c := newPythonist(t, harness.ProviderOptions{}, "")
	c.Set("UV_KEYRING_PROVIDER", "subprocess")
	if r := c.OK(t, "setup", "pip", c.server.Host); strings.Contains(r.Stdout, "export") || !strings.Contains(r.Stdout, "nothing to change") {
		t.Errorf("setup twice: %q", r.Stdout)
	}
	c.OK(t, "setup", "pip", c.server.Host, "--remove")
	if _, err := os.Stat(c.bin); err == nil {
		t.Error("the folder is left after --remove")
	}
}
