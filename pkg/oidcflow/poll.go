package oidcflow

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

const (
	slowDown   = 5 * time.Second  // RFC 8628 §3.5
	maxBackoff = 30 * time.Second // a person waits, so not for long
)

// poller decides what the token endpoint's answer to a device code means, RFC
// 8628 §3.5.
type poller struct {
	interval time.Duration
	failures int
	problem  func(error)
	// recovered may be nil.
	recovered func()
}

// next is how long to wait: the interval, doubled with every failure to reach
// the provider.
func (p *poller) next() time.Duration {
	wait := p.interval
	for range p.failures {
		if wait *= 2; wait >= maxBackoff {
			return max(maxBackoff, p.interval)
		}
	}
	return wait
}

// failed gives the error that ends the sign-in, or nil to ask again.
func (p *poller) failed(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		if !isTransport(err) {
			return err
		}
		p.trouble(err)
		return nil
	}
	switch answer.ErrorCode {
	case "authorization_pending":
		p.answered()
	case "slow_down":
		p.answered()
		p.interval += slowDown
	case "expired_token":
		return ErrDeviceCodeExpired
	case "access_denied":
		return &AuthorizationError{Code: answer.ErrorCode, Description: answer.ErrorDescription, URI: answer.ErrorURI}
	default:
		if !passing(answer) {
			return err
		}
		p.trouble(err)
	}
	return nil
}

// answered ends the trouble, if there was any.
func (p *poller) answered() {
	if p.failures > 0 && p.problem != nil && p.recovered != nil {
		p.recovered()
	}
	p.failures = 0
}

func (p *poller) trouble(err error) {
	p.failures++
	if p.failures == 1 && p.problem != nil {
		p.problem(err)
	}
}

// isTransport says whether err is the network's, not the program's.
func isTransport(err error) bool {
	var request *url.Error
	var network net.Error
	var local interface{ Configuration() bool } // a certificate file, met on the way
	if errors.As(err, &local) && local.Configuration() {
		return false
	}
	return errors.As(err, &request) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// passing says whether an answer is that of a provider in trouble, or of
// something between us and it.
func passing(e *oauth2.RetrieveError) bool {
	switch e.ErrorCode {
	case "server_error", "temporarily_unavailable", "service_unavailable":
		return true
	}
	switch status := e.Response.StatusCode; {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return true
	case e.ErrorCode != "":
		return false
	default:
		return status < 400 || status == http.StatusProxyAuthRequired ||
			isHTML(e.Response.Header.Get("Content-Type"), e.Body)
	}
}
