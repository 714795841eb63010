package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// refusedWarning goes with a refused token that is printed again.
var refusedWarning = offline.Warning{
	Type:    "token_refused_again",
	Message: "this is the token that was refused: there is no other one now, so look for the reason at the server or in the token's audience and scopes",
}

// maxRefused bounds what is read; tokens have a few thousand bytes.
const maxRefused = 1 << 20

// reportRefused reads a token that a server refused from stdin. If it is the
// session's, the next one is refreshed. A token in argv could be read by
// anybody on the machine.
func (a *app) reportRefused(ctx context.Context, m *session.Manager) (oidcflow.Secret, error) {
	data, err := io.ReadAll(io.LimitReader(a.in, maxRefused))
	if err != nil {
		return oidcflow.Secret{}, fmt.Errorf("read the refused token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	// As --output header prints it.
	if header, ok := strings.CutPrefix(text, "Authorization: Bearer "); ok {
		text = header
	}
	if text == "" {
		return oidcflow.Secret{}, usageError{message: "--refused-stdin: there is no token on stdin"}
	}
	refused := oidcflow.NewSecret(text)
	_, err = m.MarkStale(ctx, refused)
	return refused, err
}
