package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// The ways of docs/curl.md: the token comes to the server, and stands in no
// program's arguments.
func TestCurl(t *testing.T) {
	testenv.Program(t, "curl")
	var mu sync.Mutex
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = r.Header.Get("Authorization")
	}))
	t.Cleanup(server.Close)
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t, "URL="+server.URL)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	token, _ := c.Token(t)
	for _, command := range []string{
		`printf 'oauth2-bearer = "%s"' "$(oidc-cred token)" | curl -sS -f -K - "$URL"`,
		`curl -sS -f -H @<(oidc-cred token -o header) "$URL"`,
		`oidc-cred token -o header | curl -sS -f -H @- "$URL"`,
	} {
		seen = ""
		// Each program that is run shows its arguments.
		r := c.Program(t, harness.Input{}, testenv.Program(t, "strace"), "-f", "-qq", "-e", "trace=execve", "-s", "100000", "bash", "-c", command)
		if r.Code != 0 || seen != "Bearer "+token.Token {
			t.Errorf("%s: exit %d, the server saw another token: %q", command, r.Code, seen)
		}
		if !strings.Contains(r.Stderr, "execve(") || strings.Contains(r.Stderr, token.Token) {
			t.Errorf("%s: the token is in a program's arguments", command)
		}
	}
}
