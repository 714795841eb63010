package helper

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// What comes back from git in the request that follows a 401: that it is one,
// and that the token went as the password of Basic.
const (
	gitState = "oidc-cred:retry=1"
	gitBasic = "oidc-cred:basic=1"
)

// Git answers one call of a git credential helper, git-credential(1) and
// gitcredentials(7). An unknown verb is no error: git may learn new ones.
func Git(ctx context.Context, env Env, verb string) error {
	switch verb {
	case "get":
		return gitGet(ctx, env)
	case "erase":
		return gitErase(ctx, env)
	case "capability":
		_, err := io.WriteString(env.Stdout, "version 0\ncapability authtype\ncapability state\n")
		return err
	default: // "store": the session is stored already
		return nil
	}
}

func gitGet(ctx context.Context, env Env) error {
	q, err := readGitRequest(env.Stdin)
	if err != nil {
		return err
	}
	target, err := q.target(env)
	if err != nil {
		return gitQuit(ctx, env, err)
	}
	if target == nil {
		return nil
	}
	tok, err := gitToken(ctx, target, q)
	if err != nil {
		return gitQuit(ctx, env, err)
	}
	if q.refused() && tok.Expired || target.refusedLately(q.server(), tok.Value.Reveal(), env.now()) {
		return gitQuit(ctx, env, errRefused(q.host, tok))
	}
	answer, err := q.answer(target, tok, env.now())
	if err != nil {
		return gitQuit(ctx, env, err)
	}
	env.warn(tok)
	_, err = env.Stdout.Write(answer)
	return err
}

// target is the profile that the request's server is mapped to, or nil.
func (q gitRequest) target(env Env) (*Target, error) {
	return env.target(q.server())
}

func (q gitRequest) server() Server { return Server{Scheme: q.protocol, Host: q.host} }

// errRefused is why a token is not given to a server once more. An expired one
// is given out only while the provider is down: then it is the very one that
// the server has refused.
func errRefused(host string, tok *session.Token) error {
	if tok.Expired {
		reason := tok.Reason
		if reason == offline.ReasonNone {
			reason = offline.ReasonTokenRefreshFailed
		}
		return &session.Error{
			Kind: session.Unreachable, Profile: tok.Profile,
			Message: fmt.Sprintf("%s takes no expired token, and the one of profile %s can't be renewed: %s", host, tok.Profile, reason.Text()),
			Hint:    "try again when the provider is back",
		}
	}
	return &UsageError{
		Message: fmt.Sprintf("%s has just refused the token of profile %s, and there is no other", host, tok.Profile),
		Advice:  "check that the account may use what was asked for, and that the token is meant for this server (scopes, audience, resources); 'oidc-cred token --force-refresh' gets another one",
	}
}

// gitToken gives the token, a new one if the server has refused the last one.
func gitToken(ctx context.Context, t *Target, q gitRequest) (*session.Token, error) {
	return t.token(ctx, session.Request{Refused: q.refused()}, true)
}

// again says whether git asks again because of a 401.
func (q gitRequest) again() bool { return slices.Contains(q.state, gitState) }

// refused says whether that 401 was for the token. It was not if the token went
// as Bearer, before the server had said that it takes Basic alone: git-lfs
// begins so, and git with http.proactiveAuth.
func (q gitRequest) refused() bool {
	return q.again() && (q.bearer() || slices.Contains(q.state, gitBasic))
}

// answer is the reply. The capability lines come before what depends on them.
func (q gitRequest) answer(t *Target, tok *session.Token, now time.Time) ([]byte, error) {
	var lines gitLines
	bearer, state := q.bearer(), q.can("authtype") && q.can("state")
	if bearer {
		lines.add("capability[]", "authtype")
	}
	if state {
		lines.add("capability[]", "state")
	}
	if bearer {
		lines.add("authtype", "Bearer")
		lines.add("credential", tok.Value.Reveal())
		lines.add("ephemeral", "1")
	} else {
		lines.add("username", q.user(t))
		lines.add("password", tok.Value.Reveal())
	}
	// git drops a credential whose expiry has passed, and counts in seconds.
	if !tok.Expired && tok.Expiry.Unix() > now.Unix() {
		lines.add("password_expiry_utc", strconv.FormatInt(tok.Expiry.Unix(), 10))
	}
	if state && !q.refused() {
		// After a 401 git asks again in the same command, instead of failing.
		lines.add("state[]", gitState)
		if !bearer {
			lines.add("state[]", gitBasic)
		}
		lines.add("continue", "1")
	}
	return lines.buf.Bytes(), lines.err
}

func (q gitRequest) user(t *Target) string {
	switch {
	case q.username != "":
		return q.username
	case t.Username != "":
		return t.Username
	default:
		return DefaultUsername
	}
}

// gitLines builds an answer and refuses what can't be a line of it.
type gitLines struct {
	buf bytes.Buffer
	err error
}

func (l *gitLines) add(key, value string) {
	switch {
	case strings.ContainsAny(value, "\x00\r\n"):
		l.err = fmt.Errorf("the %s holds a line end, which git's protocol can't carry", key)
	case len(key)+1+len(value) > maxGitLine:
		l.err = fmt.Errorf("the %s is longer than the %d bytes that git's protocol can carry", key, maxGitLine)
	}
	l.buf.WriteString(key + "=" + value + "\n")
}

// gitQuit ends git's command with one line that says why. Without quit=1 git
// would go on to ask for a user name on the terminal. The exit code is 0,
// since git goes by what it reads (2.39 does the same with any code) and an
// answer is given.
func gitQuit(ctx context.Context, env Env, err error) error {
	if ctx.Err() != nil {
		return err // interrupted: git is going away as well
	}
	if _, werr := io.WriteString(env.Stderr, line(err)); werr != nil {
		return werr
	}
	_, werr := io.WriteString(env.Stdout, "quit=1\n")
	return werr
}

// gitErase hears that a credential was refused. If it is the cached token, the
// next get refreshes; the session stays. A former token's refusal means
// nothing. Where no other token can be had, the next get says so.
func gitErase(ctx context.Context, env Env) error {
	q, err := readGitRequest(env.Stdin)
	if err != nil {
		return err
	}
	target, err := q.target(env)
	if err != nil {
		return nil //nolint:nilerr // nothing of ours to erase; get says what is wrong
	}
	if target == nil {
		return nil
	}
	given := q.credential
	if given == "" {
		given = q.password
	}
	if given == "" {
		return nil
	}
	target.noteRefusal(q.server(), given, env.now())
	_, err = target.Source.MarkStale(ctx, oidcflow.NewSecret(given))
	return err
}
