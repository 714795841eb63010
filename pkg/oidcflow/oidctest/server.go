package oidctest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Endpoint names an endpoint of the provider.
type Endpoint string

// The endpoints. [AnyEndpoint] stands for all those without a fault of their
// own.
const (
	AnyEndpoint        Endpoint = "*"
	DiscoveryEndpoint  Endpoint = "discovery"
	KeysEndpoint       Endpoint = "keys"
	AuthorizeEndpoint  Endpoint = "authorize"
	TokenEndpoint      Endpoint = "token"
	UserInfoEndpoint   Endpoint = "userinfo"
	RevocationEndpoint Endpoint = "revoke"
	EndSessionEndpoint Endpoint = "end-session"
	DeviceEndpoint     Endpoint = "device_authorization"
	PushedEndpoint     Endpoint = "par"
)

// Provider is a running provider.
type Provider struct {
	issuer  string
	addr    string
	now     func() time.Time
	clients map[string]Client
	control bool
	handler http.Handler
	certs   *certificates // nil without TLS
	mutual  MutualTLS
	// aliasAddr is the port that asks for client certificates; "" is none.
	aliasAddr   string
	controlPath string

	life   sync.Mutex // guards the listening
	server *http.Server
	served chan struct{} // closed when server has ended
	closed bool

	mu          sync.Mutex // guards all that follows
	settings    Settings
	keys        []signingKey // published; the first one signs
	algorithm   string
	faults      map[Endpoint]*faultList
	gate        chan struct{} // not nil: a black hole until it is closed
	done        chan struct{} // closed by Down and Close
	requests    map[Endpoint][]Request
	counts      map[Endpoint]int
	arrived     chan struct{} // closed and replaced at each request
	connections int
	portal      *portal // made when it is first needed
	state
}

// New starts a provider. It panics if it can't, which in a test is the
// clearest way to say so.
func New(o Options) *Provider {
	p, err := Start(o)
	if err != nil {
		panic(err)
	}
	return p
}

// Start is [New] for programs that show an error.
func Start(o Options) (*Provider, error) {
	p := &Provider{
		now: o.Now, addr: o.Addr, clients: map[string]Client{}, control: o.Control,
		settings: o.Settings.clone(), algorithm: o.Algorithm,
		faults: map[Endpoint]*faultList{}, requests: map[Endpoint][]Request{}, counts: map[Endpoint]int{},
		arrived: make(chan struct{}), state: newState(),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.addr == "" {
		p.addr = "127.0.0.1:0"
	}
	if len(o.Clients) == 0 {
		o.Clients = []Client{DefaultClient}
	}
	for _, c := range o.Clients {
		p.clients[c.ID] = c
	}
	key, err := firstKey(o.Algorithm)
	if err != nil {
		return nil, err
	}
	p.keys = []signingKey{key}

	listener, err := net.Listen("tcp", p.addr)
	if err != nil {
		return nil, fmt.Errorf("start the test provider: %w", err)
	}
	p.addr = listener.Addr().String()
	if o.MutualTLS != MutualTLSOff && o.TLS == TLSOff {
		_ = listener.Close()
		return nil, errors.New("start the test provider: mutual TLS needs TLS")
	}
	p.mutual = o.MutualTLS
	p.Trust(o.SubjectIssuers...)
	base := url.URL{Scheme: "http", Host: p.addr, Path: strings.TrimSuffix(o.Path, "/")}
	if o.TLS != "" {
		base.Scheme = "https"
		if p.certs, err = newCertificates(o.TLS, p.now()); err != nil {
			_ = listener.Close()
			return nil, err
		}
	}
	p.issuer = base.String()
	p.controlPath = base.Path + "/_control"
	p.handler = p.captive(p.routes(base.Path))
	p.life.Lock()
	defer p.life.Unlock()
	if err := p.serve(listener); err != nil {
		return nil, err
	}
	return p, nil
}

// Issuer is the issuer identifier: scheme, host, port and path.
func (p *Provider) Issuer() string { return p.issuer }

// Addr is the host and port it listens on; it stays the same after Down and Up.
func (p *Provider) Addr() string { return p.addr }

// URL is the address of an endpoint.
func (p *Provider) URL(e Endpoint) string {
	if e == DiscoveryEndpoint {
		return p.issuer + "/.well-known/openid-configuration"
	}
	return p.issuer + "/" + string(e)
}

// Down stops listening and drops every connection: connection refused. What
// the provider knows stays.
func (p *Provider) Down() {
	p.life.Lock()
	defer p.life.Unlock()
	p.stop()
}

// Up listens again at the same address after [Provider.Down].
func (p *Provider) Up() {
	p.life.Lock()
	defer p.life.Unlock()
	if p.server != nil || p.closed {
		return
	}
	listener, err := listenAgain(p.addr)
	if err != nil {
		panic(fmt.Errorf("restart the test provider: %w", err))
	}
	if err := p.serve(listener); err != nil {
		panic(err)
	}
}

// Close ends the provider and releases every held request.
func (p *Provider) Close() {
	p.life.Lock()
	defer p.life.Unlock()
	p.closed = true
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.portal != nil {
		_ = p.portal.server.Close()
		p.portal = nil
	}
}

// listenAgain listens where it listened before. For a moment the port may be
// in use as the near end of somebody's outgoing connection.
func listenAgain(addr string) (net.Listener, error) {
	for try := 0; ; try++ {
		listener, err := net.Listen("tcp", addr)
		if err == nil || try == 50 {
			return listener, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// serve needs p.life. It fails only if the port of the aliases can't be had.
func (p *Provider) serve(listener net.Listener) error {
	listeners := []net.Listener{gatedListener{listener, p}}
	if p.certs != nil {
		listeners[0] = tls.NewListener(listeners[0], p.tlsConfig(p.mutual == MutualTLSMain))
	}
	if p.mutual == MutualTLSAliases {
		alias, err := p.listenAlias()
		if err != nil {
			_ = listener.Close()
			return fmt.Errorf("start the test provider: %w", err)
		}
		listeners = append(listeners, tls.NewListener(gatedListener{alias, p}, p.tlsConfig(true)))
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.done = done
	p.mu.Unlock()
	server := &http.Server{Handler: p.handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	p.server, p.served = server, served
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() { _ = server.Serve(l) })
	}
	go func() {
		defer close(served)
		serving.Wait()
	}()
	return nil
}

// listenAlias opens the port of the aliases, and the same one after Down.
func (p *Provider) listenAlias() (net.Listener, error) {
	if p.aliasAddr != "" {
		return listenAgain(p.aliasAddr)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		p.aliasAddr = l.Addr().String()
	}
	return l, err
}

// stop needs p.life.
func (p *Provider) stop() {
	if p.server == nil {
		return
	}
	p.mu.Lock()
	close(p.done)
	p.mu.Unlock()
	_ = p.server.Close()
	<-p.served
	p.server = nil
}

// BlackHole makes the whole server accept connections and never say a word,
// not even in a TLS handshake, until [Provider.Release].
func (p *Provider) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == nil {
		p.gate = make(chan struct{})
	}
}

// Release ends [Provider.BlackHole]; what waited is answered.
func (p *Provider) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
}

// pass waits while the provider is a black hole.
func (p *Provider) pass() error {
	p.mu.Lock()
	gate, done := p.gate, p.done
	p.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-done:
		return net.ErrClosed
	}
}

// gatedListener counts connections, and keeps silent what comes through them
// while the provider is a black hole.
type gatedListener struct {
	net.Listener
	p *Provider
}

func (l gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.p.mu.Lock()
	l.p.connections++
	l.p.mu.Unlock()
	return gatedConn{conn, l.p}, nil
}

type gatedConn struct {
	net.Conn
	p *Provider
}

// Read holds back what it read, so that connections that were already open
// when the black hole began are held too.
func (c gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if held := c.p.pass(); held != nil {
		return 0, held
	}
	return n, err
}

// NetConn is the connection beneath.
func (c gatedConn) NetConn() net.Conn { return c.Conn }

// wait waits for d, or until the request or the server ends.
func (p *Provider) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	return p.hold(ctx, timer.C, nil)
}

// hold waits for either channel, or until the request or the server ends.
func (p *Provider) hold(ctx context.Context, timer <-chan time.Time, released <-chan struct{}) error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	select {
	case <-timer:
		return nil
	case <-released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		return errors.New("the test provider went down")
	}
}
