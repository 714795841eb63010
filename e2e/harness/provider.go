package harness

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/gofrs/flock"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// ClientID and ConfidentialID are the clients registered at the provider: a
// public one, and one with [ConfidentialSecret].
const (
	ClientID       = "oidc-cred"
	ConfidentialID = "confidential"
	// ConfidentialSecret has characters that RFC 6749 2.3.1 wants encoded.
	ConfidentialSecret = "a secret with: special +characters&"
)

// ProviderOptions are the settings of a provider; their zero value is a
// provider over plain http with tokens for five minutes.
type ProviderOptions struct {
	AccessTTL, IDTTL, RefreshTTL time.Duration
	// ShortTTL is how long the refresh tokens of the client short-lived live.
	ShortTTL time.Duration
	Cert     *Certificate
	// Issuers are the kinds that the provider is there as: plain, ipv6, strict
	// (it demands what the others offer) and tls. The first is the main one;
	// by default it is the only one.
	Issuers []string
	// Clients authenticate with keys.
	Clients *ClientKeys
	// Trusted signs subject tokens.
	Trusted *TokenSource
}

// Provider is a running oidc-provider.
type Provider struct {
	// Issuer is the main one.
	Issuer string
	// Issuers are all, by kind.
	Issuers map[string]string
	admin   string
	client  *http.Client
}

// Log is what the provider has done so far.
type Log struct {
	// Requests counts them: "POST /token".
	Requests map[string]int
	Events   []Event
	Calls    []Call
}

// Event is something that happened to a token or a grant.
type Event struct {
	Event, Kind, Detail string
}

// Call is a request at one of the provider's endpoints.
type Call struct {
	Issuer string `json:"issuer"`
	// Host is where it came in: an issuer may have two ports.
	Host string `json:"host"`
	// Route is the endpoint: authorization, token, userinfo, …
	Route  string `json:"route"`
	Status int    `json:"status"`
	Client string `json:"client"`
	// Auth is how the client proved who it is, as RFC 7591 names it.
	Auth string `json:"auth"`
	// Assertion is a private_key_jwt's header and audience.
	Assertion *struct {
		Alg string `json:"alg"`
		KID string `json:"kid"`
		Aud any    `json:"aud"`
	} `json:"assertion"`
	// Certificate is the subject of the client's.
	Certificate string `json:"certificate"`
	// Proof is about the DPoP proof.
	Proof *struct {
		Alg   string `json:"alg"`
		Nonce bool   `json:"nonce"`
		Ath   bool   `json:"ath"`
	} `json:"proof"`
	// Query and Sent are the parameters' names: in the address, and all.
	Query []string `json:"query"`
	Sent  []string `json:"sent"`
	// Params are the values that are no secret.
	Params map[string]string `json:"params"`
	// Scope and Error are from the answer.
	Scope string `json:"scope"`
	Error string `json:"error"`
}

// Count says how often an event happened to a kind of thing.
func (l Log) Count(event, kind string) int {
	n := 0
	for _, e := range l.Events {
		if e.Event == event && e.Kind == kind {
			n++
		}
	}
	return n
}

// StartProvider runs a provider until the test ends.
func StartProvider(t testing.TB, o ProviderOptions) *Provider {
	t.Helper()
	dir := NodeModules(t, "provider")
	cmd := exec.Command(testenv.Program(t, "node"), filepath.Join(dir, "server.mjs"))
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1", "NODE_ENV=production", "SIGNING_KEYS="+signingKeys())
	for name, ttl := range map[string]time.Duration{
		"ACCESS_TTL": o.AccessTTL, "ID_TTL": o.IDTTL, "REFRESH_TTL": o.RefreshTTL, "SHORT_TTL": o.ShortTTL,
	} {
		if ttl != 0 {
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", name, int(ttl.Seconds())))
		}
	}
	if o.Cert != nil {
		cmd.Env = append(cmd.Env, "TLS_CERT="+o.Cert.CertFile, "TLS_KEY="+o.Cert.KeyFile)
	}
	if len(o.Issuers) > 0 {
		cmd.Env = append(cmd.Env, "ISSUERS="+strings.Join(o.Issuers, ","))
	}
	if o.Clients != nil {
		cmd.Env = append(cmd.Env, "CLIENT_KEYS="+o.Clients.public(t), "CLIENT_CA="+o.Clients.Certificate.CAFile)
	}
	if o.Trusted != nil {
		cmd.Env = append(cmd.Env, "TRUSTED="+o.Trusted.public(t))
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := &tail{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // the provider ends with its input
		limit := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("provider's stderr:\n%s", stderr)
		}
	})
	var hello struct {
		Issuer, Admin string
		Issuers       map[string]string
	}
	limit := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	if err := json.NewDecoder(bufio.NewReader(stdout)).Decode(&hello); err != nil {
		t.Fatalf("the provider did not start: %v\n%s", err, stderr)
	}
	p := &Provider{Issuer: hello.Issuer, Issuers: hello.Issuers, admin: hello.Admin, client: &http.Client{Timeout: 10 * time.Second}}
	if o.Cert != nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(o.Cert.CA)
		p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	}
	return p
}

// signingKeys are one set for all providers of a test process, as JWKs.
var signingKeys = sync.OnceValue(func() string {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: rsaKey, KeyID: "rsa", Use: "sig", Algorithm: "RS256"},
		{Key: ecKey, KeyID: "ec", Use: "sig", Algorithm: "ES256"},
	}})
	if err != nil {
		panic(err)
	}
	return string(set)
})

// Down closes the provider's port, as if its machine were gone.
func (p *Provider) Down(t testing.TB) { t.Helper(); p.steer(t, http.MethodPost, "/down", nil) }

// Up opens the port again. The provider remembers what it issued.
func (p *Provider) Up(t testing.TB) { t.Helper(); p.steer(t, http.MethodPost, "/up", nil) }

// Fail answers every request for a path with a status; 0 ends that.
func (p *Provider) Fail(t testing.TB, path string, status int) {
	t.Helper()
	p.steer(t, http.MethodPost, "/fail", url.Values{path: {strconv.Itoa(status)}})
}

// SignOut ends every sign-in, as an administrator would.
func (p *Provider) SignOut(t testing.TB) {
	t.Helper()
	p.steer(t, http.MethodPost, "/sign-out", nil)
}

// Withdraw takes a scope back from everything that was granted.
func (p *Provider) Withdraw(t testing.TB, scope string) {
	t.Helper()
	p.steer(t, http.MethodPost, "/withdraw", url.Values{scope: {"1"}})
}

// TTL changes the lifetime of what is issued from now on: access, id, refresh,
// short.
func (p *Provider) TTL(t testing.TB, kind string, d time.Duration) {
	t.Helper()
	p.steer(t, http.MethodPost, "/ttl", url.Values{kind: {strconv.Itoa(int(d.Seconds()))}})
}

// Log reads what the provider has done.
func (p *Provider) Log(t testing.TB) Log { t.Helper(); return p.steer(t, http.MethodGet, "/log", nil) }

func (p *Provider) steer(t testing.TB, method, path string, query url.Values) Log {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.admin+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var log Log
	if err := json.NewDecoder(response.Body).Decode(&log); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v", method, path, response.Status, err)
	}
	return log
}

// NodeModules gives a folder of Node programs, after installing what they need
// at the versions of the lock file.
func NodeModules(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(Root(), name)
	npm := testenv.Program(t, "npm")
	lock := flock.New(filepath.Join(os.TempDir(), "oidc-cred-e2e-npm.lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	// Without a lock file the versions in package.json are exact: a lock that
	// has the binaries of every system is refused where one of them can't be had.
	manifest, args := "package-lock.json", []string{"ci"}
	if _, err := os.Stat(filepath.Join(dir, manifest)); errors.Is(err, fs.ErrNotExist) {
		manifest, args = "package.json", []string{"install", "--no-package-lock", "--ignore-scripts"}
	}
	want, err := os.Stat(filepath.Join(dir, manifest))
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && !have.ModTime().Before(want.ModTime()) {
		return dir
	}
	install := exec.Command(npm, append(args, "--no-audit", "--no-fund")...)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		testenv.Need(t, "the npm packages of e2e/"+name, fmt.Sprintf("npm %s: %v\n%s", args[0], err, out))
	}
	return dir
}

// tail keeps the last part of what a program wrote.
type tail struct {
	mu   sync.Mutex
	data []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.data = append(w.data, p...)
	if over := len(w.data) - 8192; over > 0 {
		w.data = w.data[over:]
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.data)
}
