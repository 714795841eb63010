package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// The variables of a GitHub Actions job that may ask for an ID token:
// https://docs.github.com/actions/reference/security/oidc
const (
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // a variable's name
)

const githubAdvice = "the job needs 'permissions: {id-token: write}' in its workflow file, and GitHub gives none to workflows of forks"

// githubLimit is how long GitHub may take.
const githubLimit = 10 * time.Second

// GitHub asks GitHub Actions for the job's ID token.
type GitHub struct {
	// Audience to ask for.
	Audience string
	// Getenv reads the job's environment.
	Getenv func(string) string
	// HTTP gives the client to ask with, when it is needed.
	HTTP func() (*http.Client, error)
}

// Token is a [Source].
func (g GitHub) Token(ctx context.Context) (oidcflow.Secret, error) {
	address, bearer := g.Getenv(githubURL), oidcflow.NewSecret(g.Getenv(githubToken))
	for _, name := range []string{githubURL, githubToken} {
		if g.Getenv(name) == "" {
			return oidcflow.Secret{}, &LocalError{Message: "GitHub Actions gives this process no ID token: " + name + " is not set", Advice: githubAdvice}
		}
	}
	target, err := githubTarget(address, g.Audience)
	if err != nil {
		return oidcflow.Secret{}, &LocalError{Message: fmt.Sprintf("%s: %s", githubURL, err), Advice: "GitHub Actions sets this variable; leave it as it is"}
	}
	if _, err := parseToken([]byte(bearer.Reveal())); err != nil {
		return oidcflow.Secret{}, &LocalError{Message: fmt.Sprintf("%s: %s", githubToken, err), Advice: "GitHub Actions sets this variable; leave it as it is"}
	}
	client, err := g.HTTP()
	if err != nil {
		return oidcflow.Secret{}, err
	}
	body, err := ask(ctx, client, target, bearer)
	if err != nil {
		return oidcflow.Secret{}, fmt.Errorf("ask GitHub Actions for an ID token: %w", err)
	}
	return body, nil
}

// githubTarget adds the audience to the address, which has a query already.
func githubTarget(address, audience string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return "", errors.New("expected an https:// URL")
	}
	// The bearer token goes there.
	if u.Scheme != "https" && (u.Scheme != "http" || !oidcflow.IsLoopback(u.Hostname())) {
		return "", errors.New("expected an https:// URL")
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	u.Fragment = ""
	return u.String(), nil
}

func ask(ctx context.Context, client *http.Client, target string, bearer oidcflow.Secret) (oidcflow.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, githubLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return oidcflow.Secret{}, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	req.Header.Set("Accept", "application/json")
	direct := *client
	// A redirect leads to a captive portal or to somebody else.
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := direct.Do(req)
	if err != nil {
		return oidcflow.Secret{}, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	data, err := io.ReadAll(io.LimitReader(res.Body, 2*maxToken))
	if err != nil {
		return oidcflow.Secret{}, fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return oidcflow.Secret{}, newAnswerError(res)
	}
	token, err := parseAnswer(data)
	if err != nil {
		return oidcflow.Secret{}, newAnswerError(res)
	}
	return token, nil
}

// parseAnswer takes the token from {"value": "…"}.
func parseAnswer(data []byte) (oidcflow.Secret, error) {
	var answer struct {
		Value *string `json:"value"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return oidcflow.Secret{}, errors.New("it is no JSON object")
	}
	if answer.Value == nil {
		return oidcflow.Secret{}, errors.New("it has no value")
	}
	return parseToken([]byte(*answer.Value))
}

// AnswerError is an answer of the platform that has no token in it. The answer
// in its chain has the status and the header alone: a body may have secrets.
type AnswerError struct {
	Status int
	answer *oauth2.RetrieveError
}

func newAnswerError(res *http.Response) *AnswerError {
	return &AnswerError{Status: res.StatusCode, answer: &oauth2.RetrieveError{Response: &http.Response{
		Status: res.Status, StatusCode: res.StatusCode, Header: res.Header, Body: http.NoBody,
		Proto: res.Proto, ProtoMajor: res.ProtoMajor, ProtoMinor: res.ProtoMinor,
	}}}
}

// Error implements error.
func (e *AnswerError) Error() string {
	if e.Status == http.StatusOK {
		return "HTTP 200 without a token"
	}
	return fmt.Sprintf("HTTP %d", e.Status)
}

// Unwrap gives the answer in the form that failures are classified by.
func (e *AnswerError) Unwrap() error { return e.answer }

// Hint says what to do; it may be empty.
func (e *AnswerError) Hint() string {
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return githubAdvice
	}
	return "" // whoever asked knows what to do about an outage
}
