package helper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// A trade is a credential of another kind that a server gives for the token:
// AWS's keys, a Vault token. It is kept sealed beside the session, so that most
// calls need no network, and asked for again before it ends.
type trade struct {
	// kind begins the name that it is kept under; key tells it from others of
	// the kind: the server, the role.
	kind string
	key  []string
	// server is what it is called in messages.
	server string
	// request is for the token that is traded.
	request session.Request
	// margins say how long before its end it should, and must, be asked for
	// again; they never take more than half of its life.
	should, must time.Duration
	// anew: ask whatever is kept.
	anew bool
	// fetch asks the server.
	fetch func(ctx context.Context, tok *session.Token) (tradedFor, error)
}

// tradedFor is what is kept of a trade.
type tradedFor struct {
	// Value is the credential as its protocol needs it.
	Value    json.RawMessage `json:"value,omitempty"`
	Obtained time.Time       `json:"obtained,omitzero"`
	// Expiry is zero where it has none.
	Expiry time.Time `json:"expiry,omitzero"`
	// Failed is when the server could not be reached last, for Reason.
	Failed time.Time `json:"failed,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// tradeRetry is how long a server that can't be reached is left alone: other
// calls would each wait for it in vain.
const tradeRetry = 30 * time.Second

// good says whether the credential can be used, with so much of its life left.
func (h *tradedFor) good(now time.Time, margin time.Duration) bool {
	if h == nil || len(h.Value) == 0 {
		return false
	}
	if h.Expiry.IsZero() {
		return true
	}
	return now.Add(min(margin, h.Expiry.Sub(h.Obtained)/2)).Before(h.Expiry)
}

// waits says for how long the server is to be left alone.
func (h *tradedFor) waits(now time.Time) time.Duration {
	if h == nil || h.Failed.IsZero() || now.Before(h.Failed) { // a clock that was set back
		return 0
	}
	return max(h.Failed.Add(tradeRetry).Sub(now), 0)
}

// name is what the trade is kept under: the same for the same question.
func (t *trade) name() string {
	sum := sha256.Sum256([]byte(strings.Join(t.key, "\x00")))
	return t.kind + "-" + hex.EncodeToString(sum[:12])
}

// run gives the credential: the kept one, a new one, or, while the server or
// the provider can't be reached, the kept one until it ends. One that has ended
// is never given out, since nobody takes it.
func (t *trade) run(ctx context.Context, env Env, target *Target) (*tradedFor, error) {
	held, err := t.load(ctx, target)
	if err != nil {
		return nil, err
	}
	now := env.now()
	if !t.anew {
		if held.good(now, t.should) || held.good(now, 0) && held.waits(now) > 0 {
			return held, nil
		}
		if wait := held.waits(now); wait > 0 {
			return nil, t.unreachable(target, held.Reason, wait)
		}
	}
	// Before the lock is taken: a person may have to sign in.
	tok, err := t.token(ctx, env, target)
	if err != nil {
		return t.orHeld(held, now, err)
	}
	release, ok, err := t.lock(ctx, target, !held.good(now, t.must))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		busy := t.unreachable(target, "another oidc-cred is asking it and does not finish", 0)
		return t.orHeld(held, now, busy)
	}
	defer release()
	if other, err := t.load(ctx, target); err != nil {
		return nil, err
	} else if other != nil && (held == nil || other.Obtained.After(held.Obtained) || other.Failed.After(held.Failed)) {
		// Another process asked meanwhile.
		held = other
		if wait := held.waits(now); held.good(now, t.should) || wait > 0 {
			return t.orHeld(held, now, t.unreachable(target, held.Reason, wait))
		}
	}
	return t.ask(ctx, env, target, held, tok)
}

// ask asks the server, under the lock, and once more with another token if it
// does not take the first.
func (t *trade) ask(ctx context.Context, env Env, target *Target, held *tradedFor, tok *session.Token) (*tradedFor, error) {
	got, err := t.fetch(ctx, tok)
	if refused := (*tokenRefused)(nil); errors.As(err, &refused) {
		stale, markErr := target.Source.MarkStale(ctx, tok.Value)
		if markErr != nil {
			return nil, markErr
		}
		if stale {
			if tok, err = t.token(ctx, env, target); err != nil {
				return t.orHeld(held, env.now(), err)
			}
			got, err = t.fetch(ctx, tok)
		}
	}
	var down *serverDown
	switch {
	case err == nil:
		got.Obtained = env.now().UTC()
		_ = t.save(ctx, target, &got) // it is good all the same
		return &got, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &down):
		failed := tradedFor{}
		if held != nil {
			failed = *held
		}
		failed.Failed, failed.Reason = env.now().UTC(), down.reason
		_ = t.save(ctx, target, &failed)
		return t.orHeld(held, env.now(), t.unreachable(target, down.reason, 0))
	}
	return nil, err
}

// token is the one to trade. No server trades an expired one, so it is sent
// only where this very call says so.
func (t *trade) token(ctx context.Context, env Env, target *Target) (*session.Token, error) {
	tok, err := target.token(ctx, t.request, true)
	if err == nil && tok.Expired && !target.offlineAsked() {
		err = refuseExpired(tok, env.now(), t.server)
	}
	return tok, err
}

// orHeld is the kept credential if it is still good and err is an outage, which
// is no reason to stop before it ends.
func (t *trade) orHeld(held *tradedFor, now time.Time, err error) (*tradedFor, error) {
	if held.good(now, 0) && session.KindOf(err) == session.Unreachable {
		return held, nil
	}
	return nil, err
}

// offlineAsked says whether --offline was given.
func (t *Target) offlineAsked() bool { return t.Offline != nil && *t.Offline }

func (t *trade) load(ctx context.Context, target *Target) (*tradedFor, error) {
	if target.Keep == nil {
		return nil, nil
	}
	data, err := target.Keep.Load(ctx, t.name())
	if err != nil || data == nil {
		return nil, err
	}
	var held tradedFor
	if json.Unmarshal(data, &held) != nil {
		return nil, nil
	}
	return &held, nil
}

func (t *trade) save(ctx context.Context, target *Target, got *tradedFor) error {
	if target.Keep == nil {
		return nil
	}
	data, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("encode what %s gave: %w", t.server, err)
	}
	// Whether the caller still waits or not: it need not be asked for again.
	return target.Keep.Save(context.WithoutCancel(ctx), t.name(), data)
}

func (t *trade) lock(ctx context.Context, target *Target, wait bool) (func(), bool, error) {
	if target.Keep == nil {
		return func() {}, true, nil
	}
	return target.Keep.Lock(ctx, t.name(), wait)
}

// unreachable is the error while the server can't be asked.
func (t *trade) unreachable(target *Target, reason string, wait time.Duration) error {
	if wait > 0 {
		reason += "; next try in " + offline.Short(wait.Round(time.Second))
	}
	return &session.Error{
		Kind: session.Unreachable, Profile: target.Profile,
		Message: fmt.Sprintf("%s can't be asked for a credential (%s)", t.server, reason),
		Hint:    "try again later; profile " + target.Profile + " itself is signed in",
	}
}

// serverDown is a failure of the server, or of the way to it, that may pass.
type serverDown struct{ reason string }

// Error implements error.
func (e *serverDown) Error() string { return e.reason }

// tokenRefused is the server's refusal of the token itself, where another token
// may do.
type tokenRefused struct{ refusal }

// refusal is a server's "no".
type refusal struct{ message, advice string }

// Error implements error.
func (e *refusal) Error() string { return e.message }

// Hint says what to do.
func (e *refusal) Hint() string { return e.advice }
