package offline_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// exchange posts as a refresh does and gives the error that it ended with.
func exchange(ctx context.Context, client *http.Client, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader("grant_type=refresh_token"))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a test
	if _, err = io.ReadAll(res.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// raw is a server that treats its connections as told.
func raw(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // a test
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// readRequest reads up to the end of a request's head.
func readRequest(c net.Conn) {
	buf := make([]byte, 4096)
	_, _ = c.Read(buf)
}

// quietTLS is a TLS server that does not complain of failed handshakes.
func quietTLS(t *testing.T, cert *tls.Certificate, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{} //nolint:gosec // a test
	if cert != nil {
		s.TLS.Certificates = []tls.Certificate{*cert}
	}
	if change != nil {
		change(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// certificate is one of its own authority for host, valid for a day until end.
func certificate(t *testing.T, host string, end time.Time) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: end.Add(-day), NotAfter: end, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func trusting(pool *x509.CertPool, name string) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}}} //nolint:gosec // a test
}

// through is a client that goes through the proxy at addr, and sees what the
// proxy answers to CONNECT.
func through(addr string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr}),
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode != http.StatusOK {
				return proxyAnswer(res.StatusCode)
			}
			return nil
		},
	}}
}

// Errors as real listeners and net/http make them.
func TestClassifyRealErrors(t *testing.T) {
	bg := context.Background()
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	plain := func() *http.Client { return &http.Client{Transport: &http.Transport{}} }
	closed := raw(t, func(*net.TCPConn) {})
	dead := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		return l.Addr().String()
	}
	silent := raw(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	answering := func(text string) string {
		return raw(t, func(c *net.TCPConn) { readRequest(c); _, _ = io.WriteString(c, text) })
	}
	connect := func(status string) string { return answering("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n") }

	for _, test := range []struct {
		name   string
		run    func(t *testing.T) error
		want   offline.Category
		detail string // contained in what is told of it
	}{
		{"refused", func(*testing.T) error { return exchange(bg, plain(), "http://"+dead()) }, offline.NetworkUnavailable, "connection refused"},
		{"closed at once", func(*testing.T) error { return exchange(bg, plain(), "http://"+closed) }, offline.NetworkUnavailable, "closed by the other side"},
		{"reset", func(t *testing.T) error {
			addr := raw(t, func(c *net.TCPConn) { readRequest(c); _ = c.SetLinger(0) })
			return exchange(bg, plain(), "http://"+addr)
		}, offline.NetworkUnavailable, "closed by the other side"},
		{"reset in the body", func(t *testing.T) error {
			addr := raw(t, func(c *net.TCPConn) {
				readRequest(c)
				_, _ = io.WriteString(c, "HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{")
				_ = c.SetLinger(0)
			})
			return exchange(bg, plain(), "http://"+addr)
		}, offline.NetworkUnavailable, "closed by the other side"},
		{"unknown name", func(*testing.T) error {
			client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Resolver: &net.Resolver{
				PreferGo: true,
				Dial: func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.DNSError{Err: "no such host", Name: "id.invalid", IsNotFound: true}
				},
			}}).DialContext}}
			return exchange(bg, client, "http://id.invalid")
		}, offline.NetworkUnavailable, "name id.invalid can't be resolved"},
		{"silent, deadline", func(*testing.T) error { return exchange(short(), plain(), "http://"+silent) }, offline.NetworkTimeout, "timed out"},
		{"silent, client timeout", func(*testing.T) error {
			client := plain()
			client.Timeout = 50 * time.Millisecond
			return exchange(bg, client, "http://"+silent)
		}, offline.NetworkTimeout, "timed out"},
		{"silent, header timeout", func(*testing.T) error {
			client := &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 50 * time.Millisecond}}
			return exchange(bg, client, "http://"+silent)
		}, offline.NetworkTimeout, "timed out"},
		{"silent handshake", func(*testing.T) error {
			client := &http.Client{Transport: &http.Transport{TLSHandshakeTimeout: 50 * time.Millisecond}}
			return exchange(bg, client, "https://"+silent)
		}, offline.NetworkTimeout, "timed out"},
		{"silent handshake, deadline", func(*testing.T) error { return exchange(short(), plain(), "https://"+silent) }, offline.NetworkTimeout, "timed out"},
		{"silent body, client timeout", func(t *testing.T) error {
			addr := raw(t, func(c *net.TCPConn) {
				readRequest(c)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
				_, _ = io.Copy(io.Discard, c)
			})
			client := plain()
			client.Timeout = 100 * time.Millisecond
			return exchange(bg, client, "http://"+addr)
		}, offline.NetworkTimeout, "timed out"},
		{"cut by its length", func(*testing.T) error {
			return exchange(bg, plain(), "http://"+answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"))
		}, offline.NetworkTimeout, "cut off"},
		{"cut in a chunk", func(*testing.T) error {
			return exchange(bg, plain(), "http://"+answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"))
		}, offline.NetworkTimeout, "cut off"},
		{"cut in the head", func(*testing.T) error {
			return exchange(bg, plain(), "http://"+answering("HTTP/1.1 200 OK\r\n"))
		}, offline.NetworkTimeout, "cut off"},
		{"interrupted", func(*testing.T) error {
			ctx, cancel := context.WithCancel(bg)
			time.AfterFunc(30*time.Millisecond, cancel)
			return exchange(ctx, plain(), "http://"+silent)
		}, offline.Unknown, ""},
		{"interrupted in the handshake", func(*testing.T) error {
			ctx, cancel := context.WithCancel(bg)
			time.AfterFunc(30*time.Millisecond, cancel)
			return exchange(ctx, plain(), "https://"+silent)
		}, offline.Unknown, ""},
		{"no HTTP at all", func(*testing.T) error { return exchange(bg, plain(), "http://"+answering("SSH-2.0-x\r\n")) }, offline.Unknown, "malformed"},

		{"unknown authority", func(t *testing.T) error { return exchange(bg, plain(), quietTLS(t, nil, nil).URL) }, offline.TLSError, "unknown authority"},
		{"wrong host", func(t *testing.T) error {
			cert, pool := certificate(t, "other.example.com", time.Now().Add(day))
			return exchange(bg, trusting(pool, "id.example.com"), quietTLS(t, cert, nil).URL)
		}, offline.TLSError, "other.example.com"},
		{"expired", func(t *testing.T) error {
			cert, pool := certificate(t, "id.example.com", time.Now().Add(-day))
			return exchange(bg, trusting(pool, "id.example.com"), quietTLS(t, cert, nil).URL)
		}, offline.TLSError, "expired"},
		{"client certificate wanted", func(t *testing.T) error {
			cert, pool := certificate(t, "id.example.com", time.Now().Add(day))
			s := quietTLS(t, cert, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
			return exchange(bg, trusting(pool, "id.example.com"), s.URL)
		}, offline.TLSError, "certificate required"},
		{"no common version", func(t *testing.T) error {
			cert, pool := certificate(t, "id.example.com", time.Now().Add(day))
			s := quietTLS(t, cert, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
			client := trusting(pool, "id.example.com")
			client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS13
			return exchange(bg, client, s.URL)
		}, offline.TLSError, "protocol version"},
		{"plain HTTP on the TLS port", func(*testing.T) error {
			return exchange(bg, plain(), "https://"+answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
		}, offline.TLSError, "HTTP response to HTTPS client"},
		{"something else on the TLS port", func(*testing.T) error { return exchange(bg, plain(), "https://"+answering("SSH-2.0-x\r\n")) }, offline.TLSError, "TLS"},

		{"proxy refused", func(*testing.T) error { return exchange(bg, through(dead()), "https://id.example.com") }, offline.NetworkUnavailable, "proxy can't be reached"},
		{"proxy silent", func(*testing.T) error { return exchange(short(), through(silent), "https://id.example.com") }, offline.NetworkTimeout, "timed out"},
		{"proxy 503", func(*testing.T) error {
			return exchange(bg, through(connect("503 Service Unavailable")), "https://id.example.com")
		}, offline.NetworkUnavailable, "proxy answered HTTP 503"},
		{"proxy 407", func(*testing.T) error {
			return exchange(bg, through(connect("407 Proxy Authentication Required")), "https://id.example.com")
		}, offline.NotTheProvider, "proxy answered HTTP 407"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.name == "reset in the body" && testenv.Wine() {
				t.Skip("Wine shows the reset as an orderly end")
			}
			err := test.run(t)
			if err == nil {
				t.Fatal("no error")
			}
			f := offline.NewFailure(offline.StepRefresh, fmt.Errorf("token: %w", errors.Join(err, errPlain)), t0)
			if f.Category != test.want || !strings.Contains(f.Detail, test.detail) && test.detail != "" {
				t.Errorf("%s, %q\nwant %s with %q\nerror %v", f.Category, f.Detail, test.want, test.detail, err)
			}
			if f.EndsSession() {
				t.Error("it ends the session")
			}
			if got := offline.Describe(errors.Join(errPlain, err)); test.want != offline.Unknown && got != f.Detail {
				t.Errorf("joined in another order: %q, want %q", got, f.Detail)
			}
		})
	}
}
