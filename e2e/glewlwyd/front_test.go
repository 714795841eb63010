package glewlwyd

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// front is the web server before Glewlwyd, as its package advises: it has the
// files of the login page (of which Glewlwyd serves no symbolic link) and hands
// the rest on. It also remembers what it was asked.
type front struct {
	address string
	handler http.Handler
	server  *http.Server

	mu       sync.Mutex
	requests []request
}

// request is what the provider was asked.
type request struct {
	path string
	form url.Values
	auth string
	dpop string
}

// newFront listens on a free port.
func newFront(t *testing.T, backend *url.URL) *front {
	t.Helper()
	files := http.FileServer(http.Dir(webapp))
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		r.Out.Host = r.In.Host
	}}
	f := &front{address: "127.0.0.1:0"}
	f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.record(r, body)
		if strings.HasPrefix(r.URL.Path+"/", "/config/") || strings.HasPrefix(r.URL.Path, "/api/") {
			proxy.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/config.json" {
			// The package's link to it leads to a folder.
			http.ServeFile(w, r, webConfig)
			return
		}
		files.ServeHTTP(w, r)
	})
	f.up(t)
	t.Cleanup(func() { _ = f.server.Close() })
	return f
}

func (f *front) record(r *http.Request, body []byte) {
	form := r.URL.Query()
	if values, err := url.ParseQuery(string(body)); err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		for name, value := range values {
			form[name] = append(form[name], value...)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request{
		path: strings.TrimPrefix(r.URL.Path, "/api/oidc"), form: form, auth: r.Header.Get("Authorization"), dpop: r.Header.Get("DPoP"),
	})
}

// up listens on the port that it had before, if it had one.
func (f *front) up(t *testing.T) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	f.address = listener.Addr().String()
	server := &http.Server{Handler: f.handler, ReadHeaderTimeout: 10 * time.Second}
	f.server = server
	go func() { _ = server.Serve(listener) }()
}

// down closes the port.
func (f *front) down(t *testing.T) {
	t.Helper()
	if err := f.server.Close(); err != nil {
		t.Fatal(err)
	}
}

// asked gives the requests for a path of the plugin so far, with this grant
// type, or any.
func (f *front) asked(path, grant string) []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []request
	for _, r := range f.requests {
		if r.path == path && (grant == "" || r.form.Get("grant_type") == grant) {
			found = append(found, r)
		}
	}
	return found
}

// last is the latest of them.
func (f *front) last(t *testing.T, path, grant string) request {
	t.Helper()
	asked := f.asked(path, grant)
	if len(asked) == 0 {
		t.Fatalf("nothing asked of %s with grant %q", path, grant)
	}
	return asked[len(asked)-1]
}
