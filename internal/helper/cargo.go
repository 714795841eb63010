package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// CargoOptions are what cargo's protocol needs of the command line.
type CargoOptions struct {
	// Args takes the arguments from cargo's configuration: they come in each
	// request, and not where a program's arguments are. Nil takes none.
	Args func(args []string) error
}

// maxCargoRequest bounds one line from cargo.
const maxCargoRequest = 1 << 20

// Cargo speaks cargo's credential provider protocol, version 1 (The Cargo Book,
// "Credential Provider Protocol"): a line of JSON for each request until the
// input ends. An answer with an error is an answer: cargo would take the exit
// code of a failed program for its message.
func Cargo(ctx context.Context, env Env, opt CargoOptions) error {
	if _, err := io.WriteString(env.Stdout, `{"v":[1]}`+"\n"); err != nil {
		return err
	}
	in := bufio.NewScanner(env.Stdin)
	in.Buffer(make([]byte, 0, 4096), maxCargoRequest)
	for in.Scan() {
		if len(strings.TrimSpace(in.Text())) == 0 {
			continue
		}
		answer, err := cargoAnswer(ctx, env, opt, in.Bytes())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			answer = cargoError(err)
		}
		if err := json.NewEncoder(env.Stdout).Encode(answer); err != nil {
			return err
		}
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return json.NewEncoder(env.Stdout).Encode(cargoError(fmt.Errorf("cargo's request is longer than %d bytes", maxCargoRequest)))
	} else if err != nil {
		return &UsageError{Message: "cargo's request can't be read: " + err.Error()}
	}
	return nil
}

type cargoRequest struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`
	Registry struct {
		IndexURL string `json:"index-url"`
	} `json:"registry"`
	// Token is what somebody gave to `cargo login`.
	Token *string  `json:"token"`
	Args  []string `json:"args"`
}

type cargoResult struct {
	Ok  *cargoOk      `json:"Ok,omitempty"`
	Err *cargoProblem `json:"Err,omitempty"`
}

type cargoOk struct {
	Kind  string `json:"kind"`
	Token string `json:"token,omitempty"`
	// Cache is "expires" or "session".
	Cache                string `json:"cache,omitempty"`
	Expiration           int64  `json:"expiration,omitempty"`
	OperationIndependent bool   `json:"operation_independent,omitempty"`
}

type cargoProblem struct {
	Kind    string `json:"kind"`
	Message string `json:"message,omitempty"`
}

// Error implements error.
func (p *cargoProblem) Error() string { return p.Kind }

// Cargo goes on to its next provider after the first of these. The reason that
// there is no token is never "not-found": cargo would drop it and say that it
// found none.
var (
	errCargoURL       = &cargoProblem{Kind: "url-not-supported"}
	errCargoOperation = &cargoProblem{Kind: "operation-not-supported"}
)

// cargoError is an error in the protocol. Its hint goes with it, since cargo
// shows nothing else.
func cargoError(err error) *cargoResult {
	var p *cargoProblem
	if errors.As(err, &p) {
		return &cargoResult{Err: p}
	}
	text := oidcflow.Clean(err.Error())
	if hint := hintOf(err); hint != "" {
		text += " (" + oidcflow.Clean(hint) + ")"
	}
	return &cargoResult{Err: &cargoProblem{Kind: "other", Message: text}}
}

func cargoAnswer(ctx context.Context, env Env, opt CargoOptions, request []byte) (*cargoResult, error) {
	var q cargoRequest
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, &UsageError{Message: "cargo's request can't be read: " + jsonProblem(err)}
	}
	if q.V != 1 {
		return nil, &UsageError{Message: fmt.Sprintf("cargo's request is of version %d, and this helper knows version 1", q.V)}
	}
	if q.Kind != "get" && q.Kind != "login" && q.Kind != "logout" {
		return nil, errCargoOperation
	}
	if opt.Args != nil {
		if err := opt.Args(q.Args); err != nil {
			return nil, err
		}
	}
	target, err := q.target(env)
	switch {
	case err != nil:
		return nil, err
	case target == nil:
		return nil, errCargoURL
	case q.Kind == "login":
		return q.login(ctx, env, target)
	case q.Kind == "logout":
		return nil, &UsageError{
			Message: fmt.Sprintf("cargo does not sign out of profile %s, which may serve other tools too", target.Profile),
			Advice:  "run 'oidc-cred logout --profile " + target.Profile + "'",
		}
	}
	// The headers of the request say nothing of a token: they are from the
	// request without one by which cargo found out that it needs one.
	tok, err := target.token(ctx, session.Request{}, true)
	if err != nil {
		return nil, err
	}
	return cargoToken(env, tok)
}

// target is the profile that the index's server is mapped to, or nil.
func (q cargoRequest) target(env Env) (*Target, error) {
	index := strings.TrimPrefix(q.Registry.IndexURL, "sparse+")
	server, ok := ParseServer(index)
	if !ok || !strings.Contains(index, "://") {
		return nil, nil
	}
	// Cargo's name for crates.io, which is another server.
	if strings.EqualFold(server.Host, "github.com") && strings.Contains(index, "/rust-lang/crates.io-index") {
		return nil, nil
	}
	return env.target(server)
}

// login is `cargo login`: there is nothing to store, so it renews the token, as
// after one that the registry has refused. A sign-in is done where it is needed
// and the profile asks people.
func (q cargoRequest) login(ctx context.Context, env Env, target *Target) (*cargoResult, error) {
	if q.Token != nil && *q.Token != "" {
		return nil, &UsageError{
			Message: fmt.Sprintf("the registry gets the token of profile %s, so there is none to store", target.Profile),
			Advice:  "run 'cargo login' without a token",
		}
	}
	tok, err := target.token(ctx, session.Request{ForceRefresh: true}, true)
	if err != nil {
		return nil, err
	}
	env.warn(tok)
	return &cargoResult{Ok: &cargoOk{Kind: "login"}}, nil
}

func cargoToken(env Env, tok *session.Token) (*cargoResult, error) {
	value, err := bearer(tok)
	if err != nil {
		return nil, err
	}
	env.warn(tok)
	ok := &cargoOk{Kind: "get", Token: value, Cache: "session", OperationIndependent: true}
	if at := cargoExpiry(tok, env.now()); !at.IsZero() {
		ok.Cache, ok.Expiration = "expires", at.Unix()
	}
	return &cargoResult{Ok: ok}, nil
}

// cargoExpiry is never in the past. Cargo asks again a minute before it, so a
// token that has expired is kept for a minute.
func cargoExpiry(tok *session.Token, now time.Time) time.Time {
	at := execExpiry(tok, now)
	if tok.Expired {
		at = at.Add(time.Minute)
	}
	return at
}
