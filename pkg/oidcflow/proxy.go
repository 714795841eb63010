package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ProxyError is a proxy that would not open a tunnel to the provider: nothing
// reached the provider.
type ProxyError struct {
	// Status of the proxy's answer to CONNECT.
	Status int
	// Known says that the proxy's address has a user name in it.
	Known bool
}

// Error implements error.
func (e *ProxyError) Error() string {
	switch {
	case e.Status == http.StatusProxyAuthRequired && e.Known:
		return "the proxy does not take the user name and password in its address (HTTP 407)"
	case e.Status == http.StatusProxyAuthRequired:
		return "the proxy wants a user name and password (HTTP 407)"
	}
	return fmt.Sprintf("the proxy answered HTTP %d", e.Status)
}

// ProxyStatus is the status of the proxy's answer.
func (e *ProxyError) ProxyStatus() int { return e.Status }

func checkProxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &ProxyError{Status: answer.StatusCode, Known: proxy != nil && proxy.User != nil}
	}
	return nil
}

// proxyOf hides the text of a wrong proxy address, which may have a password.
func proxyOf(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if choose == nil {
		choose = environmentProxy
	}
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := choose(req)
		if err != nil || proxy != nil && !IsProxyAddress(proxy) {
			return nil, errors.New("the proxy address in the environment is not valid")
		}
		return proxy, nil
	}
}

// environmentProxy is the environment's proxy, never for this machine, which
// may be reached over plain http because nothing is on the way. net/http knows
// it by the name localhost in lower case alone.
func environmentProxy(req *http.Request) (*url.URL, error) {
	if IsLoopback(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// IsProxyAddress says whether the URL is a proxy's address. With a "#", "/" or
// "?" in a password that is not escaped, a part of the password stands where
// the host or the port should, from where it would get into messages.
func IsProxyAddress(u *url.URL) bool {
	name := u.Hostname()
	return name != "" && name != "http" && name != "https" && !strings.HasSuffix(u.Host, ":") &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}
