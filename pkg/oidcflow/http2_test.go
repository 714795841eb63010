package oidcflow

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// secureProvider answers its token endpoint over HTTP/2.
func secureProvider(t *testing.T, h http.HandlerFunc) (*Client, *Metadata) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("asked with %s", r.Proto)
		}
		h(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	c := &Client{Issuer: s.URL, ClientID: "the-client", HTTP: httpClient(t, HTTPOptions{RootCAs: pool})}
	return c, &Metadata{Issuer: s.URL, TokenEndpoint: s.URL + "/token"}
}

func TestHTTP2StreamReset(t *testing.T) {
	c, md := secureProvider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("refresh_token") == "within the body" {
			_, _ = io.WriteString(w, `{"access_token":`)
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	for _, when := range []string{"before the answer", "within the body"} {
		if _, err := c.Refresh(t.Context(), md, NewSecret(when)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", when, err)
		}
	}
}

func TestHTTP2IsFinishedAfterItWasSent(t *testing.T) {
	var cancel context.CancelFunc
	c, md := secureProvider(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-r.Context().Done():
			t.Error("the client hung up")
		case <-time.After(20 * time.Millisecond):
		}
		saysJSON(200, tokenBody(""))(w, r)
	})
	for range 2 { // a new connection, and one that is there
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		if _, err := c.Refresh(ctx, md, NewSecret("rt")); err != nil {
			t.Error(err)
		}
		cancel()
	}
}
