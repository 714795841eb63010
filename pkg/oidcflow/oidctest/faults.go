package oidctest

import (
	"maps"
	"net/http"
	"time"
)

// Fault is a wrong answer of one endpoint. Make one with a function of this
// package and refine it with the methods, which return a changed copy:
//
//	oidctest.Status(429).RetryAfter("7").Times(2)
//
// A fault replaces the whole answer: the request is not carried out, so a
// refresh token is not spent, unless [Fault.Performed] says so.
type Fault struct {
	Kind FaultKind `json:"kind,omitempty"`
	// Code is the HTTP status of what is answered.
	Code int `json:"status,omitempty"`
	// Headers are added to the answer.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is answered; for some kinds it is what is cut.
	Body string `json:"body,omitempty"`
	// Size is the length of an oversized answer.
	Size int `json:"size,omitempty"`
	// Wait delays the answer.
	Wait time.Duration `json:"wait,omitempty"`
	// Limit is how often the fault happens; 0 means until it is cleared.
	Limit int `json:"times,omitempty"`
	// CarryOut carries the request out, and loses the answer.
	CarryOut bool `json:"performed,omitempty"`
}

// FaultKind is the way in which an answer is wrong.
type FaultKind string

// The kinds.
const (
	FaultNone     FaultKind = ""          // the right answer, perhaps delayed
	FaultAnswer   FaultKind = "answer"    // Code, Headers and Body
	FaultHold     FaultKind = "hold"      // no answer until cleared
	FaultStall    FaultKind = "stall"     // half an answer, and no more until cleared
	FaultReset    FaultKind = "reset"     // connection reset before the answer
	FaultResetMid FaultKind = "reset-mid" // connection reset within the body
	FaultCutOff   FaultKind = "cut-off"   // connection closed within the body
	FaultHalf     FaultKind = "half"      // half of the body as if it were whole
	FaultOversize FaultKind = "oversized" // Size bytes of JSON
)

const jsonType, htmlType = "application/json", "text/html; charset=utf-8"

// Answer is a given answer.
func Answer(status int, contentType, body string) Fault {
	return Fault{Kind: FaultAnswer, Code: status, Body: body, Headers: map[string]string{"Content-Type": contentType}}
}

// Status is an answer with a status and a line of plain text.
func Status(code int) Fault {
	return Answer(code, "text/plain; charset=utf-8", http.StatusText(code)+"\n")
}

// OAuthError is an error object, RFC 6749 §5.2.
func OAuthError(status int, code, description string) Fault {
	answer := map[string]any{"error": code}
	if description != "" {
		answer["error_description"] = description
	}
	return Answer(status, jsonType, string(encode(answer)))
}

// HTML is a page that the provider did not write: a captive portal (200, 302,
// 403, 511) or a proxy (407, 502).
func HTML(status int) Fault {
	f := Answer(status, htmlType, "<!DOCTYPE html>\n<html><head><title>Welcome</title></head>"+
		"<body><h1>Welcome to the guest network</h1><form>Accept the terms to continue</form></body></html>\n")
	switch status {
	case http.StatusProxyAuthRequired:
		f = f.Header("Proxy-Authenticate", `Basic realm="proxy"`)
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
		f = f.Header("Location", "http://portal.invalid/login")
	}
	return f
}

// Redirect sends the client elsewhere.
func Redirect(location string) Fault { return HTML(http.StatusFound).Header("Location", location) }

// EmptyObject is the answer {}.
func EmptyObject() Fault { return Answer(http.StatusOK, jsonType, "{}") }

// NoContent is an answer 204 without a body.
func NoContent() Fault { return Fault{Kind: FaultAnswer, Code: http.StatusNoContent} }

// Empty is an answer 200 without a body.
func Empty() Fault { return Answer(http.StatusOK, jsonType, "") }

// Hold accepts the request and does not answer. [Provider.Clear], or another
// [Provider.Set], releases what waits, and it is then answered as it should be.
func Hold() Fault { return Fault{Kind: FaultHold} }

// Stall sends the header and half of the body, and no more until it is cleared.
func Stall() Fault { return broken(FaultStall) }

// Reset resets the connection instead of answering.
func Reset() Fault { return broken(FaultReset) }

// ResetMidBody resets the connection after half of the body.
func ResetMidBody() Fault { return broken(FaultResetMid) }

// CutOff closes the connection after half of the body.
func CutOff() Fault { return broken(FaultCutOff) }

// Truncated sends half of the JSON as if it were all of it.
func Truncated() Fault { return broken(FaultHalf) }

// Oversized is a valid answer of so many bytes.
func Oversized(size int) Fault {
	f := broken(FaultOversize)
	f.Size = size
	return f
}

// Latency is the right answer after a delay.
func Latency(d time.Duration) Fault { return Fault{Wait: d} }

// broken is a fault that spoils an answer which would otherwise be good. What
// it gives to a token request looks like tokens, and is none.
func broken(kind FaultKind) Fault {
	f := Answer(http.StatusOK, jsonType, `{"access_token":"from-a-broken-answer","token_type":"Bearer","expires_in":3600}`)
	f.Kind = kind
	return f
}

// RetryAfter adds the header, RFC 9110 §10.2.3.
func (f Fault) RetryAfter(value string) Fault { return f.Header("Retry-After", value) }

// Header adds a header.
func (f Fault) Header(name, value string) Fault {
	f.Headers = maps.Clone(f.Headers)
	if f.Headers == nil {
		f.Headers = map[string]string{}
	}
	f.Headers[name] = value
	return f
}

// Delay waits before the answer.
func (f Fault) Delay(d time.Duration) Fault {
	f.Wait = d
	return f
}

// Times ends the fault after n requests.
func (f Fault) Times(n int) Fault {
	f.Limit = n
	return f
}

// Performed carries the request out before the answer is lost: the refresh
// token is rotated and the client never learns the new one.
func (f Fault) Performed() Fault {
	f.CarryOut = true
	return f
}

// faultList is what an endpoint does next.
type faultList struct {
	faults   []Fault
	released chan struct{} // closed when the list is replaced
}

// Set makes the endpoint answer wrongly. Several faults come one after the
// other, each as often as its Times says; the one without goes on until
// [Provider.Clear]. Requests held by an earlier fault are released.
func (p *Provider) Set(e Endpoint, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unset(e)
	list := &faultList{released: make(chan struct{})}
	for _, f := range faults {
		f.Headers = maps.Clone(f.Headers)
		list.faults = append(list.faults, f)
	}
	p.faults[e] = list
}

// Clear ends the faults of the endpoints; without any, of all endpoints.
func (p *Provider) Clear(endpoints ...Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(endpoints) == 0 {
		for e := range p.faults {
			endpoints = append(endpoints, e)
		}
	}
	for _, e := range endpoints {
		p.unset(e)
	}
}

func (p *Provider) unset(e Endpoint) {
	if list := p.faults[e]; list != nil {
		close(list.released)
		delete(p.faults, e)
	}
}

// nextFault takes the fault of a request.
func (p *Provider) nextFault(e Endpoint) (Fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range []*faultList{p.faults[e], p.faults[AnyEndpoint]} {
		if list == nil || len(list.faults) == 0 {
			continue
		}
		f := list.faults[0]
		if f.Limit > 0 {
			if list.faults[0].Limit--; list.faults[0].Limit == 0 {
				list.faults = list.faults[1:]
			}
		}
		return f, list.released
	}
	return Fault{}, nil
}
