package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// ProxyError is a proxy that would not open a tunnel to the provider: nothing
// reached the provider.
type ProxyError struct {
	// Status of the proxy's answer to CONNECT.
	Status int
}

// Error implements error.
func (e *ProxyError) Error() string {
	if e.Status == http.StatusProxyAuthRequired {
		return "the proxy wants a user name and password (HTTP 407)"
	}
	return fmt.Sprintf("the proxy answered HTTP %d", e.Status)
}

// ProxyStatus is the status of the proxy's answer.
func (e *ProxyError) ProxyStatus() int { return e.Status }

func checkProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &ProxyError{Status: answer.StatusCode}
	}
	return nil
}

// proxyOf hides the text of a wrong proxy address, which may have a password.
func proxyOf(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if choose == nil {
		choose = http.ProxyFromEnvironment
	}
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := choose(req)
		if err != nil {
			return nil, errors.New("the proxy address in the environment is not valid")
		}
		return proxy, nil
	}
}
