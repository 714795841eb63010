package oidctest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// portal is a captive portal: a host of its own that everything is redirected
// to, and that shows a page for people.
type portal struct {
	server *http.Server
	page   string // its address
}

const portalHTML = `<!DOCTYPE html>
<html lang="en"><head><title>Guest network</title></head>
<body><h1>Welcome to the guest network</h1><form method="post"><button>Accept the terms</button></form></body></html>
`

func startPortal() (*portal, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", htmlType)
			_, _ = io.WriteString(w, portalHTML)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	return &portal{server: server, page: "http://localhost:" + port + "/hotspot"}, nil
}

// captive answers for the portal where there is one, whatever the path.
func (p *Provider) captive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		on := p.settings.CaptivePortal && r.URL.Path != p.controlPath
		var err error
		if on && p.portal == nil {
			p.portal, err = startPortal()
		}
		portal := p.portal
		p.mu.Unlock()
		switch {
		case !on:
			next.ServeHTTP(w, r)
		case err != nil:
			http.Error(w, "no portal", http.StatusInternalServerError)
		default:
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, portal.page+"?from="+url.QueryEscape(addressOf(r)), http.StatusFound)
		}
	})
}
