package oidctest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// keptRequests bounds what is kept for each endpoint.
const keptRequests = 1000

// Request is a request as it arrived.
type Request struct {
	Method string
	Path   string
	Header http.Header
	// Query and Form are the parameters in the URL and in the body.
	Query, Form url.Values
}

// arrive counts the request.
func (p *Provider) arrive(e Endpoint, r *http.Request) {
	request := Request{
		Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(),
		Query: r.URL.Query(), Form: cloneValues(r.PostForm),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[e]++
	if len(p.requests[e]) < keptRequests {
		p.requests[e] = append(p.requests[e], request)
	}
	for _, name := range []string{"code_verifier", "client_secret", "client_assertion", "assertion", "subject_token"} {
		if v := r.PostForm.Get(name); v != "" {
			p.secrets = append(p.secrets, v)
		}
	}
	close(p.arrived)
	p.arrived = make(chan struct{})
}

func cloneValues(v url.Values) url.Values { return url.Values(http.Header(v).Clone()) }

// Count is the number of requests to the endpoint that have arrived, answered
// or not; of [AnyEndpoint], to all of them.
func (p *Provider) Count(e Endpoint) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(e)
}

func (p *Provider) count(e Endpoint) int {
	if e != AnyEndpoint {
		return p.counts[e]
	}
	sum := 0
	for n := range maps.Values(p.counts) {
		sum += n
	}
	return sum
}

// Connections is the number of connections that were accepted.
func (p *Provider) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// ResetCounts sets [Provider.Count], [Provider.Connections],
// [Provider.Granted] and [Provider.Reused] to 0 and forgets the requests.
func (p *Provider) ResetCounts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
	clear(p.requests)
	clear(p.granted)
	p.connections, p.reused = 0, 0
}

// Requests are the first thousand requests to the endpoint, oldest first.
func (p *Provider) Requests(e Endpoint) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests[e])
}

// Await waits until n requests to the endpoint have arrived. A test uses it
// instead of sleeping, before it releases what it held.
func (p *Provider) Await(ctx context.Context, e Endpoint, n int) error {
	for {
		p.mu.Lock()
		enough, arrived := p.count(e) >= n, p.arrived
		p.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
