package oidctest_test

import (
	"fmt"
	"net/http"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// An outage of the keys, and its end.
func Example() {
	p := oidctest.New(oidctest.Options{})
	defer p.Close()

	ask := func() {
		response, err := p.HTTPClient().Get(p.URL(oidctest.KeysEndpoint))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = response.Body.Close()
		fmt.Printf("%d %q\n", response.StatusCode, response.Header.Get("Retry-After"))
	}
	p.Set(oidctest.KeysEndpoint, oidctest.Status(http.StatusServiceUnavailable).RetryAfter("7"))
	ask()
	p.Clear()
	ask()
	fmt.Println(p.Count(oidctest.KeysEndpoint), "requests")
	// Output:
	// 503 "7"
	// 200 ""
	// 2 requests
}
