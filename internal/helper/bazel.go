package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// maxBazelRequest bounds what is read; a URI is all that is in it.
const maxBazelRequest = 1 << 20

// bazelLimit is when Bazel has nearly given up, by its --credential_helper_timeout
// of ten seconds.
const bazelLimit = 9 * time.Second

// BazelExchange bounds one exchange with the provider for Bazel: it may come
// after a wait for another process of the same length, and Bazel ends a helper
// that has not answered, maybe with a new refresh token in its hands.
const BazelExchange = bazelLimit / 2

// bazelAnswer is a credential helper's answer, as the Credential Helper
// specification of EngFlow and Google has it.
type bazelAnswer struct {
	Headers map[string][]string `json:"headers"`
	Expires string              `json:"expires,omitempty"`
}

// Bazel answers one call of Bazel, and of other tools with its protocol.
func Bazel(ctx context.Context, env Env, args []string) error {
	if len(args) != 1 || args[0] != "get" {
		return &UsageError{Message: "a Bazel credential helper is called with one word, get"}
	}
	server, err := readBazel(env.Stdin)
	if err != nil {
		return err
	}
	answer := bazelAnswer{Headers: map[string][]string{}}
	target, err := env.target(server)
	if err != nil {
		return err
	}
	if target != nil {
		limited, cancel := context.WithTimeout(ctx, bazelLimit)
		defer cancel()
		tok, err := target.token(limited, session.Request{}, true)
		if err != nil {
			if limited.Err() != nil && ctx.Err() == nil {
				return errors.New("there was no token in the time that Bazel waits for one")
			}
			return err
		}
		value, err := bearer(tok)
		if err != nil {
			return err
		}
		answer.Headers["Authorization"] = []string{value}
		// As for kubectl: never in the past, or Bazel asks for each request.
		if at := execExpiry(tok, env.now()); !at.IsZero() {
			answer.Expires = at.Format(time.RFC3339)
		}
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = env.Stdout.Write(append(data, '\n'))
	return err
}

// readBazel reads the request: the server of the URI, none for one that is not
// on the web.
func readBazel(r io.Reader) (Server, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBazelRequest+1))
	switch {
	case err != nil:
		return Server{}, fmt.Errorf("read Bazel's request: %w", err)
	case len(data) > maxBazelRequest:
		return Server{}, &UsageError{Message: fmt.Sprintf("Bazel's request is longer than %d bytes", maxBazelRequest)}
	}
	var in struct {
		URI *string `json:"uri"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return Server{}, &UsageError{Message: "Bazel's request can't be read: " + jsonProblem(err)}
	}
	if in.URI == nil {
		return Server{}, &UsageError{Message: "Bazel's request has no uri"}
	}
	uri := *in.URI
	scheme, rest, _ := strings.Cut(uri, "://")
	switch strings.ToLower(scheme) {
	case "grpcs":
		uri = "https://" + rest
	case "grpc":
		uri = "http://" + rest
	case "https", "http":
	default:
		return Server{}, nil
	}
	server, _ := ParseServer(uri)
	return server, nil
}
