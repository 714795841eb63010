package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

const (
	// DefaultSignInTimeout is how long a person has to sign in.
	DefaultSignInTimeout = 5 * time.Minute
	// maxCompletion limits what follows the code: the exchange, keys,
	// userinfo, and a keychain that may ask the person to unlock it.
	maxCompletion = 2 * time.Minute
)

// ErrSignInTimeout: nobody signed in in time.
var ErrSignInTimeout = errors.New("nobody signed in within the time limit")

// SignInOptions say how a person signs in. Complete is needed, and one of
// Open, Notify and Paste.
type SignInOptions struct {
	// Redirect is a loopback address, such as http://127.0.0.1:0/callback
	// (port 0, or none: any free port), which is the default.
	Redirect string
	// Open opens the browser at the authorization URL; nil does not. It may
	// return at once or block, and gets the context that SignIn got. Where
	// there is no Notify and no Paste, its error ends the sign-in.
	Open func(ctx context.Context, url string) error
	// Notify shows the authorization URL to a person, before Open is called.
	// It is called again, with a new URL, when the former one is of a pushed
	// request that has expired, and Open is nil or has failed.
	Notify func(url string)
	// Paste brings lines that a person pasted: the URL that the browser ended
	// at, its query, or the code alone.
	Paste <-chan string
	// PasteProblem says why a pasted line was not taken.
	PasteProblem func(error)
	// Timeout for the person; 0 is [DefaultSignInTimeout].
	Timeout time.Duration
	// Complete verifies and stores the tokens. Only if it returns nil does the
	// browser show that the sign-in was a success. Its context is no longer
	// ended by the caller's.
	Complete func(ctx context.Context, tokens *Tokens, nonce string) error
}

// SignIn lets a person sign in with the browser: an authorization code with
// PKCE, state, nonce and the check of the issuer (RFC 6749 §4.1, RFC 7636, RFC
// 8252, RFC 9207), pushed where [Client.PushedRequests] says so. ctx ends it while it waits for the person; once the code is
// there, it goes on to its end, since a code is good only once.
//
// The provider's refusal is an [AuthorizationError], a port that is taken a
// [ListenError], the end of the time [ErrSignInTimeout].
func (c *Client) SignIn(ctx context.Context, md *Metadata, o SignInOptions) error {
	if o.Complete == nil || o.Open == nil && o.Notify == nil && o.Paste == nil {
		return errors.New("sign-in: the options have no way to sign in or nothing to complete it")
	}
	where, err := parseRedirect(o.Redirect)
	if err != nil {
		return err
	}
	c, err = c.forFlow(md)
	if err != nil {
		return err
	}
	sockets, where, listenErr := where.listen(ctx)
	// With a known port, a pasted answer does without a listener.
	if listenErr != nil && (o.Paste == nil || o.Open != nil || where.port == 0) {
		return listenErr
	}
	request, err := c.authorize(md, where.uri())
	if err == nil {
		err = c.pushFor(ctx, md, request, o)
	}
	if err != nil {
		for _, s := range sockets {
			_ = s.Close()
		}
		return err
	}
	contest := newContest(expected{
		state: request.state, issuer: md.Issuer, issuerRequired: md.AuthorizationResponseIssParameterSupported,
		formPost: c.formPost(), authority: where.authority(),
		bound: c.openID() || slices.Contains(md.CodeChallengeMethods, "S256"),
	})
	l := newListener(where, contest, hostOf(md.Issuer))
	l.serve(sockets)

	err = c.signIn(ctx, md, o, request, contest, len(sockets) > 0)
	l.close(err)
	return err
}

func (c *Client) signIn(ctx context.Context, md *Metadata, o SignInOptions, r *request, contest *contest, listening bool) error {
	answer, err := c.wait(ctx, md, o, r, contest, listening)
	if err != nil {
		return err
	}
	if answer.verdict != nil {
		return answer.verdict
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCompletion)
	defer cancel()
	tokens, err := c.requestTokens(ctx, "exchange of the code", md, r.form(c, answer.code))
	if err != nil {
		return err
	}
	if c.openID() && tokens.ID.IsZero() {
		return &IDTokenError{"missing", "the provider sent none"}
	}
	return o.Complete(ctx, tokens, r.nonce)
}

// wait shows the URL and waits for the answer.
func (c *Client) wait(ctx context.Context, md *Metadata, o SignInOptions, r *request, contest *contest, listening bool) (response, error) {
	if o.Notify != nil {
		o.Notify(r.url)
	}
	opened := make(chan error, 1)
	if o.Open != nil {
		go func() { opened <- o.Open(ctx, r.url) }()
	}
	waiting, cancel := context.WithTimeoutCause(ctx, o.timeout(), ErrSignInTimeout)
	defer cancel()
	expired := time.NewTimer(r.life)
	defer expired.Stop()
	if r.life == 0 || o.Open != nil || o.Notify == nil {
		expired.Stop() // nothing expires, or it has been used by now
	}
	pasted := o.Paste
	for {
		select {
		case answer := <-contest.responses:
			return answer, nil
		case err := <-opened:
			if err != nil && o.Notify == nil && o.Paste == nil {
				return response{}, fmt.Errorf("the browser can't be opened: %w", err)
			}
			if err != nil && r.life > 0 && o.Notify != nil {
				o.Open = nil
				expired.Reset(r.life)
			}
		case text, ok := <-pasted:
			if !ok && !listening {
				return response{}, errNoPaste
			}
			if !ok {
				pasted = nil
			} else if takePaste(o, contest, text) {
				return <-contest.responses, nil
			}
		case <-expired.C:
			// Whoever carries the address to another machine by hand may need
			// longer than the minute or so that it is good for.
			if c.pushFor(waiting, md, r, o) == nil {
				o.Notify(r.url)
				if r.life > 0 {
					expired.Reset(r.life)
				}
			}
		case <-waiting.Done():
			if errors.Is(context.Cause(waiting), ErrSignInTimeout) {
				return response{}, ErrSignInTimeout
			}
			return response{}, waiting.Err()
		}
	}
}

func (o SignInOptions) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultSignInTimeout
}

// takePaste says whether an answer is there now.
func takePaste(o SignInOptions, contest *contest, text string) bool {
	answer, err := contest.expected.paste(text)
	if err == nil {
		contest.offer(answer, byPaste) // or the browser's is there already
		return true
	}
	if o.PasteProblem != nil {
		o.PasteProblem(err)
	}
	return false
}

// hostOf names the provider to a person.
func hostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return Clean(u.Host)
}

// safeText is the text of an error for a web page. An oauth2.RetrieveError
// writes the body of the answer into its text; it is shown by its status.
func safeText(err error) string {
	var shown *answerError
	var raw *oauth2.RetrieveError
	switch {
	case errors.As(err, &shown):
	case errors.As(err, &raw) && raw.Response != nil:
		return fmt.Sprintf("HTTP %d %s", raw.Response.StatusCode, Clean(raw.ErrorCode))
	case errors.As(err, &raw):
		return "the provider refused"
	}
	return Clean(err.Error())
}
