package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// maxAnswer bounds a server's answer.
const maxAnswer = 1 << 20

// answer is what a server said.
type answer struct {
	status int
	body   []byte
}

// down is the failure that an answer is which another try may mend, or that the
// server did not write.
func (a *answer) down() error {
	return &serverDown{reason: fmt.Sprintf("HTTP %d", a.status)}
}

// trouble says whether the status alone means that it may pass.
func (a *answer) trouble() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusProxyAuthRequired:
		return true
	}
	return a.status >= 500
}

// send sends a token to a server that the caller has found to be mapped, and to
// no other one: no redirect is followed. A failure of the way there is a
// [serverDown].
func (t *Target) send(ctx context.Context, method, url, caFile string, header map[string]string, body string) (*answer, error) {
	shared, err := t.HTTP(caFile)
	if err != nil {
		return nil, err
	}
	client := *shared
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	limit := t.Timeout
	if limit <= 0 {
		limit = 10 * time.Second
	}
	// The caller's giving up ends it too: nothing is lost with the answer.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case len(data) > maxAnswer:
		return nil, &serverDown{reason: fmt.Sprintf("its answer is longer than %d bytes", maxAnswer)}
	}
	return &answer{status: response.StatusCode, body: data}, nil
}

// noAnswer tells this machine's own mistakes from an outage.
func noAnswer(err error) error {
	var local interface{ Configuration() bool }
	if errors.As(err, &local) && local.Configuration() {
		return err
	}
	return &serverDown{reason: offline.Describe(err)}
}

// mappedTarget is the profile of a server that a token is to be sent to. The
// environment may name the server, so that it has to be mapped, as any other.
func (e Env) mappedTarget(address, setup string) (*Target, error) {
	server, ok := ParseServer(address)
	if !ok {
		return nil, &UsageError{Message: fmt.Sprintf("%q is no address of a web server", address)}
	}
	target, err := e.target(server)
	if err == nil && target == nil {
		err = &UsageError{
			Message: fmt.Sprintf("no profile in use has %s in its hosts, so it gets no token", server.Host),
			Advice:  "run '" + setup + "', or add the host to the profile's hosts",
		}
	}
	return target, err
}
