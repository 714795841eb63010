package cmd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/e2e"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// A provider that is reached through a proxy alone: its name is in no DNS, and
// net/http asks no proxy for an address of this machine.
const farHost = "id.example.test"

// farProvider gives tokens to the client robot. It shows a certificate for the
// name, of an authority of its own.
func farProvider(t *testing.T, name string) (addr string, ca []byte) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer := "https://" + farHost
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"issuer": issuer, "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys", "authorization_endpoint": issuer + "/authorize",
			})
		case "/token":
			_, _ = io.WriteString(w, `{"access_token":"from-afar","token_type":"Bearer","expires_in":3600}`)
		default:
			http.NotFound(w, r)
		}
	}))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the company's authority"}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pipe copies both ways until one side ends.
func pipe(a, b net.Conn) {
	var wait sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		wait.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	wait.Wait()
}

// connectProxy opens tunnels to target, whatever the name, for who gives the
// user name and the password.
func connectProxy(t *testing.T, target, user, password string) (addr string) {
	t.Helper()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect || r.Host != farHost+":443":
			t.Errorf("the proxy was asked: %s %s", r.Method, r.Host)
			w.WriteHeader(http.StatusBadRequest)
			return
		case r.Header.Get("Proxy-Authorization") != want:
			w.Header().Set("Proxy-Authenticate", `Basic realm="the company"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", target)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		pipe(here, there)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// socksProxy is one of RFC 1928, without a password.
func socksProxy(t *testing.T, target string) (addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	serve := func(here net.Conn) {
		head := make([]byte, 2)
		_, _ = io.ReadFull(here, head)
		_, _ = io.CopyN(io.Discard, here, int64(head[1]))
		_, _ = here.Write([]byte{5, 0})
		request := make([]byte, 5)
		_, _ = io.ReadFull(here, request)
		name := make([]byte, int(request[4])+2)
		_, _ = io.ReadFull(here, name)
		if request[3] != 3 || string(name[:len(name)-2]) != farHost {
			t.Errorf("the proxy was asked for %q", name)
		}
		there, err := net.Dial("tcp", target) //nolint:noctx // loopback
		if err != nil {
			_ = here.Close()
			return
		}
		_, _ = here.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		pipe(here, there)
	}
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(here)
		}
	}()
	return listener.Addr().String()
}

func TestProxies(t *testing.T) {
	t.Parallel()
	testenv.Program(t, "go") // not on the other side of Wine
	program, err := e2e.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	addr, ca := farProvider(t, farHost)
	proxy := connectProxy(t, addr, "ada", "p@ss/word")
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	elsewhere, otherCA := farProvider(t, "wifi.example.net")

	for name, test := range map[string]struct {
		proxy string
		ca    []byte
		code  int
		// token and doctor are what they say on stderr; "" is success.
		token, doctor string
	}{
		"with a password":    {proxy: "http://ada:p%40ss%2Fword@" + proxy, ca: ca},
		"SOCKS5":             {proxy: "socks5://" + socksProxy(t, addr), ca: ca},
		"without a password": {"http://" + proxy, ca, 4, "the proxy answered HTTP 407", "HTTPS_PROXY=http://user:password@proxy:port"},
		"a wrong password":   {"http://ada:hunter2@" + proxy, ca, 4, "the proxy answered HTTP 407", "HTTPS_PROXY=http://user:password@proxy:port"},
		"no proxy there":     {"http://ada:hunter2@" + closed.Addr().String(), ca, 4, "the proxy can't be reached", "the proxy settings (HTTPS_PROXY, NO_PROXY)"},
		"unknown authority":  {"http://ada:p%40ss%2Fword@" + proxy, otherCA, 4, "certificate or TLS problem", "name its certificate in ca_file"},
		"a captive portal":   {"socks5://" + socksProxy(t, elsewhere), otherCA, 4, "certificate or TLS problem", "a captive portal: open any http:// page in the browser and sign in to the network"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "ca.pem"), test.ca, 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) (stdout, stderr string, code int) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				c := exec.CommandContext(ctx, program, args...)
				c.Env = []string{
					"OIDC_CRED_HOME=" + home, "OIDC_CRED_STORE=file", "OIDC_CRED_PASSPHRASE=a-passphrase-as-a-machine-would-make-it",
					"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "HTTPS_PROXY=" + test.proxy, "COLUMNS=1000",
					"OIDC_CRED_ISSUER=https://" + farHost, "OIDC_CRED_CLIENT_ID=robot", "OIDC_CRED_GRANT=client_credentials",
					"OIDC_CRED_CLIENT_SECRET_ENV=ROBOT_SECRET", "ROBOT_SECRET=the-secret-of-the-robot", "OIDC_CRED_CA_FILE=" + filepath.Join(home, "ca.pem"),
				}
				var out, errs bytes.Buffer
				c.Stdout, c.Stderr = &out, &errs
				err := c.Run()
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					code = exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				for _, secret := range []string{"hunter2", "p@ss/word", "p%40ss", "ROBOT_SECRET=", "the-secret-of-the-robot"} {
					if strings.Contains(out.String()+errs.String(), secret) {
						t.Errorf("%v shows %q:\n%s%s", args, secret, out.String(), errs.String())
					}
				}
				return out.String(), errs.String(), code
			}
			stdout, stderr, code := run("token", "--verbose")
			if code != test.code || !strings.Contains(stderr, test.token) || test.code == 0 && stdout != "from-afar\n" {
				t.Errorf("token: exit code %d, %q, %s", code, stdout, stderr)
			}
			stdout, stderr, code = run("doctor", "-o", "json", "--verbose")
			if !strings.Contains(stdout+stderr, `"check":"proxy","result":"ok","detail":"`+test.proxy[:strings.Index(test.proxy, "://")+3]+`127.0.0.1:`) {
				t.Errorf("doctor names no proxy: %s%s", stdout, stderr)
			}
			if code != test.code || !strings.Contains(stderr, test.doctor) || !strings.Contains(stderr, test.token) {
				t.Errorf("doctor: exit code %d, %s", code, stderr)
			}
		})
	}
}
