package oidcflow

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// HTTPOptions say how to reach the provider. The zero value is fine.
type HTTPOptions struct {
	// CAFile has certificates in PEM form that are trusted beside the
	// system's.
	CAFile string
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
	// UserAgent names the program, as "oidc-cred/1.2.3".
	UserAgent string
	// Proxy chooses a proxy; nil goes by the environment (HTTPS_PROXY,
	// NO_PROXY).
	Proxy func(*http.Request) (*url.URL, error)
	// ClientCertificate gives the certificate for mutual TLS, see
	// [LoadClientCertificate]. It is called in each handshake in which the
	// server asks for one. nil: none is shown.
	ClientCertificate func() (*tls.Certificate, error)
	// Wrap puts something around the transport, such as a log.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// CAFileError says that the file with certificates can't be used.
type CAFileError struct {
	Path string
	Err  error
}

// Error implements error.
func (e *CAFileError) Error() string { return fmt.Sprintf("ca_file %s: %v", e.Path, e.Err) }

// Unwrap gives the failure behind it.
func (e *CAFileError) Unwrap() error { return e.Err }

// Configuration says that the failure is this machine's and tells nothing
// about the provider.
func (e *CAFileError) Configuration() bool { return true }

// NewHTTPClient gives a client for [Client.HTTP]: TLS 1.2 or later, the
// proxy from the environment, and no time limit of its own, since each
// exchange has one. It only looks whether CAFile is there: the certificates,
// the system's too, are loaded at the first connection, because most calls
// need no network.
func NewHTTPClient(o HTTPOptions) (*http.Client, error) {
	if o.CAFile != "" {
		info, err := os.Stat(o.CAFile)
		switch {
		case err != nil:
			return nil, caFileError(o.CAFile, err)
		case info.IsDir():
			return nil, &CAFileError{Path: o.CAFile, Err: errors.New("is a directory")}
		}
	}
	var rt http.RoundTripper = &transport{options: o}
	if o.Wrap != nil {
		rt = o.Wrap(rt)
	}
	return &http.Client{Transport: rt, CheckRedirect: checkRedirect}, nil
}

// transport is an http.Transport that is made at its first use.
type transport struct {
	options HTTPOptions
	once    sync.Once
	next    atomic.Pointer[http.Transport]
	err     error
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.once.Do(func() {
		var next *http.Transport
		next, t.err = newTransport(t.options)
		t.next.Store(next)
	})
	if t.err != nil {
		return nil, t.err
	}
	if t.options.UserAgent != "" && req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", t.options.UserAgent)
	}
	return t.next.Load().RoundTrip(req)
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if next := t.next.Load(); next != nil {
		next.CloseIdleConnections()
	}
}

func newTransport(o HTTPOptions) (*http.Transport, error) {
	roots, err := loadRoots(o)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  proxyOf(o.Proxy),
		OnProxyConnectResponse: checkProxyAnswer,
		DialContext:            dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots, GetClientCertificate: showCertificate(o.ClientCertificate),
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           10,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}, nil
}

// loadRoots gives nil where the system's certificates are enough: crypto/tls
// then loads them when it checks the first one.
func loadRoots(o HTTPOptions) (*x509.CertPool, error) {
	if o.CAFile == "" {
		return o.RootCAs, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, caFileError(o.CAFile, err)
	}
	var pool *x509.CertPool
	if o.RootCAs != nil {
		pool = o.RootCAs.Clone()
	} else if pool, err = x509.SystemCertPool(); err != nil {
		pool = x509.NewCertPool() // a system without certificates of its own
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &CAFileError{Path: o.CAFile, Err: errors.New("has no certificate in PEM form")}
	}
	return pool, nil
}

// caFileError leaves out the path that the os package repeats.
func caFileError(path string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &CAFileError{Path: path, Err: err}
}
