package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// The grants without a person.
const (
	GrantClientCredentials = "client_credentials" // RFC 6749 §4.4
	GrantJWTBearer         = "jwt-bearer"         // RFC 7523 §2.1
	GrantTokenExchange     = "token-exchange"     // RFC 8693
)

// Workload is a session that needs no person: it is begun and renewed by a
// grant of the client itself, without a browser and without a refresh token.
type Workload struct {
	// Grant is one of the constants.
	Grant string
	// SubjectToken gives the assertion, or the token to exchange, whenever it
	// is needed. With client credentials it is the client's own assertion (RFC
	// 7523 §2.2) and may be nil: the client then has another way to
	// authenticate itself. An error with a method Configuration() bool that says true is
	// this machine's and says nothing about any provider.
	SubjectToken func(context.Context) (oidcflow.Secret, error)
	// SubjectTokenType and RequestedTokenType are those of a token exchange,
	// see [oidcflow.ExchangeOptions].
	SubjectTokenType   string
	RequestedTokenType string
}

// configurationError is this machine's, and says nothing about the provider.
type configurationError struct{ error }

// Configuration marks it.
func (configurationError) Configuration() bool { return true }

// Unwrap gives what is wrong.
func (e configurationError) Unwrap() error { return e.error }

// grant asks for tokens without a person, and says which step failed.
func (m *Manager) grant(ctx context.Context, flow *oidcflow.Client, md *oidcflow.Metadata) (*oidcflow.Tokens, offline.Step, error) {
	w := m.workload
	if err := w.check(); err != nil {
		return nil, offline.StepRefresh, err
	}
	if w.Grant == GrantClientCredentials {
		flow, err := m.asserted(ctx, flow)
		if err != nil {
			return nil, offline.StepSubjectToken, err
		}
		t, err := flow.ClientCredentials(ctx, md)
		return t, offline.StepRefresh, err
	}
	subject, err := m.subjectToken(ctx)
	if err != nil {
		return nil, offline.StepSubjectToken, err
	}
	if w.Grant == GrantJWTBearer {
		t, err := flow.JWTBearer(ctx, md, subject)
		return t, offline.StepRefresh, err
	}
	t, err := flow.TokenExchange(ctx, md, oidcflow.ExchangeOptions{
		SubjectToken: subject, SubjectTokenType: w.SubjectTokenType, RequestedTokenType: w.RequestedTokenType,
	})
	return t, offline.StepRefresh, err
}

// asserted gives the client with which to ask: where a token that something
// else gave out is to authenticate it, it has a new one.
func (m *Manager) asserted(ctx context.Context, flow *oidcflow.Client) (*oidcflow.Client, error) {
	if m.workload == nil || m.workload.Grant != GrantClientCredentials || m.workload.SubjectToken == nil {
		return flow, nil
	}
	token, err := m.subjectToken(ctx)
	if err != nil {
		return nil, err
	}
	own := *flow
	own.Assertion = token
	return &own, nil
}

func (m *Manager) subjectToken(ctx context.Context) (oidcflow.Secret, error) {
	w := m.workload
	if w.SubjectToken == nil {
		return oidcflow.Secret{}, configurationError{fmt.Errorf("the grant %s needs a subject token, and profile %s has no source of one", w.Grant, m.profile)}
	}
	subject, err := w.SubjectToken(ctx)
	switch {
	case err != nil:
		return oidcflow.Secret{}, fmt.Errorf("the subject token: %w", err)
	case subject.IsZero():
		return oidcflow.Secret{}, configurationError{errors.New("the subject token is empty")}
	}
	return subject, nil
}

// check finds mistakes in the configuration before anything is sent.
func (w *Workload) check() error {
	switch w.Grant {
	case GrantClientCredentials, GrantJWTBearer:
		return nil
	case GrantTokenExchange:
		for _, t := range []string{w.SubjectTokenType, w.RequestedTokenType} {
			if t != "" && oidcflow.TokenTypeURI(t) == "" {
				return configurationError{fmt.Errorf("%q is no token type of a token exchange", oidcflow.Clean(t))}
			}
		}
		return nil
	}
	return configurationError{fmt.Errorf("there is no grant %q without a person", oidcflow.Clean(w.Grant))}
}

// beginWorkload signs in without a person. The step says where it failed.
func (m *Manager) beginWorkload(ctx context.Context, md *oidcflow.Metadata) (*record, *oidcflow.Tokens, offline.Step, error) {
	t, step, err := m.grant(ctx, m.flow, md)
	if err != nil {
		return nil, nil, step, err
	}
	rec, err := m.newRecord(ctx, md, t, oidcflow.Expect{Refresh: true}) // nobody was asked to authenticate
	switch {
	case err == nil:
		return rec, t, "", nil
	case unproven(err):
		return nil, nil, offline.StepKeys, err
	default:
		return nil, nil, offline.StepIDToken, err
	}
}
