// Package glewlwyd drives the program against Glewlwyd, an OpenID provider in C
// that Debian packages.
package glewlwyd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestMain(m *testing.M) { harness.Main(m) }

// The package's files. The SQL is in the configuration of dbconfig-common and
// not only under /usr/share/doc, which small systems leave out.
const (
	schema    = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
	webapp    = "/usr/share/glewlwyd/webapp/"
	webConfig = "/usr/share/glewlwyd/templates/config.json"
	modules   = "/usr/lib/glewlwyd/"
)

// server is a Glewlwyd of its own, with its database in a folder of the test.
type server struct {
	*front // nil with TLS, which goes to Glewlwyd itself

	URL    string // http://127.0.0.1:4593
	Issuer string // of the plugin
	dir    string
	config string
	http   http.RoundTripper
	admin  *http.Client
	log    *os.File
}

// run starts the process and waits until it answers.
func (s *server) run(t *testing.T) {
	t.Helper()
	// The shell ends it with the pipe, so that it does not outlive a test process
	// that was killed.
	cmd := exec.Command("sh", "-c", `"$@" & read -r _; kill -9 $!`, "sh", testenv.Program(t, "glewlwyd"), "--config-file="+s.config)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	pipe, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pipe.Close()
		_ = cmd.Wait()
	})
	client := &http.Client{Transport: s.http, Timeout: 2 * time.Second}
	harness.Eventually(t, 20*time.Second, "Glewlwyd to answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/config", http.NoBody)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// prepare makes the database and the configuration file, for a free port.
func prepare(t *testing.T, cert *harness.Certificate, clientCA string) *server {
	t.Helper()
	testenv.Program(t, "glewlwyd")
	s := &server{dir: t.TempDir(), http: http.DefaultTransport}
	sql, err := os.ReadFile(schema)
	if err != nil {
		testenv.Need(t, "glewlwyd's database schema", err.Error())
	}
	database := filepath.Join(s.dir, "glewlwyd.db")
	sqlite := exec.Command(testenv.Program(t, "sqlite3"), database)
	// On disk it would be synced at every statement.
	sqlite.Stdin = bytes.NewReader(append([]byte("PRAGMA synchronous=OFF; BEGIN;\n"), append(sql, "\nCOMMIT;\n"...)...))
	if out, err := sqlite.CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v\n%s", err, out)
	}
	port, tls := freePort(t), ""
	backend := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	if cert == nil {
		s.front = newFront(t, backend)
		s.URL = "http://" + s.front.address
	} else {
		s.URL, s.http = "https://"+backend.Host, cert.Transport(t)
		tls = fmt.Sprintf("use_secure_connection=true\nsecure_connection_key_file=%q\nsecure_connection_pem_file=%q\nsecure_connection_ca_file=%q\n",
			cert.KeyFile, cert.CertFile, clientCA)
	}
	s.config = filepath.Join(s.dir, "glewlwyd.conf")
	config := fmt.Sprintf(`port=%d
bind_address="127.0.0.1"
external_url=%q
login_url="login.html"
api_prefix="api"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="%suser"
user_middleware_module_path="%suser_middleware"
client_module_path="%sclient"
user_auth_scheme_module_path="%sscheme"
plugin_module_path="%splugin"
log_mode="console"
log_level="WARNING"
hash_algorithm="SHA512"
database = { type = "sqlite3" path = %q };
%s`, port, s.URL, modules, modules, modules, modules, modules, database, tls)
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.log.Close()
		if t.Failed() {
			log, _ := os.ReadFile(s.log.Name())
			t.Logf("Glewlwyd's log:\n%s", log)
		}
	})
	return s
}

// freePort is one that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
