package cmd

import (
	"context"
	"errors"
	"net/http"

	"github.com/oidc-cred/oidc-cred/internal/workload"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// workload is how a profile without a person gets its tokens; nil where
// somebody signs in.
func (a *app) workload(p *profile) *session.Workload {
	if p.person() {
		return nil
	}
	w := &session.Workload{Grant: p.text("grant"), SubjectToken: a.subjectToken(p)}
	if w.Grant == grantExchange {
		w.SubjectTokenType = exchangeType(p.text("subject_token_type"))
		w.RequestedTokenType = exchangeType(p.text("requested_token_type"))
	}
	return w
}

// subjectToken gives the way to the token that the grant begins with, nil if it
// begins with none.
func (a *app) subjectToken(p *profile) func(context.Context) (oidcflow.Secret, error) {
	sources := p.subjectSources()
	if len(sources) == 0 {
		return nil
	}
	key := sources[0]
	source := a.subjectSource(p, key)
	return func(ctx context.Context) (oidcflow.Secret, error) {
		token, err := source(ctx)
		var local *workload.LocalError
		if errors.As(err, &local) {
			return token, usageError{message: "profile " + p.name + ": " + key + ": " + local.Message, hint: local.Advice}
		}
		return token, err
	}
}

func (a *app) subjectSource(p *profile, key string) workload.Source {
	value := p.text(key)
	switch key {
	case "subject_token_env":
		return workload.Env(value, a.getenv)
	case "subject_token_file":
		return workload.File(value)
	case "subject_token_command":
		return workload.Command(func(ctx context.Context) (string, error) { return a.runForSecret(ctx, value) })
	default:
		audience := p.text("subject_token_audience")
		if audience == "" {
			audience = p.text("issuer")
		}
		return workload.GitHub{
			Audience: audience, Getenv: a.getenv,
			// The client's certificate is the provider's business, not GitHub's.
			HTTP: func() (*http.Client, error) { return a.newHTTPClient(p, nil) },
		}.Token
	}
}
