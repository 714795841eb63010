package helper

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// Keyring stands in for the keyring command, which pip and uv run for the user
// name and the password of an index. It answers for servers that are mapped;
// every other call goes to the keyring command that is behind it in PATH, so
// that what is kept there stays in reach.
func Keyring(ctx context.Context, env Env, args []string) error {
	call, ok := parseKeyring(args)
	if !ok {
		return passOn(ctx, env, args)
	}
	server, ok := ParseServer(call.service)
	if !ok {
		return passOn(ctx, env, args)
	}
	target, err := env.target(server)
	if err != nil {
		return err
	}
	if target == nil {
		return passOn(ctx, env, args)
	}
	if call.operation != "get" {
		return &UsageError{
			Message: "oidc-cred gives " + server.Host + " the token of profile " + target.Profile + " and keeps no password for it",
			Advice:  "run 'oidc-cred login --profile " + target.Profile + "' or 'oidc-cred logout --profile " + target.Profile + "'",
		}
	}
	tok, err := target.token(ctx, session.Request{}, true)
	if err != nil {
		// The keyring command is silent without a password. A reason is worth
		// more: both clients pass stderr on, and go by the exit code.
		return err
	}
	env.warn(tok)
	return call.answer(env.Stdout, target, tok)
}

// keyringCall is a call of the keyring command, as far as we know it.
type keyringCall struct {
	operation, service, user string
	creds, json              bool
}

// parseKeyring reads the arguments; ok is false for a call that we don't know,
// such as one that asks for a certain backend. Options may stand anywhere. pip
// calls "get URL USER" and, from 26.2 on, "--mode=creds --output=json get URL
// [USER]"; uv calls "get URL USER" and "get URL --mode creds". URL is the
// index's, and then its host alone.
func parseKeyring(args []string) (call keyringCall, ok bool) {
	var words []string
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			words = append(words, args[i])
			continue
		}
		name, value, given := strings.Cut(args[i], "=")
		if !given {
			if i++; i == len(args) {
				return keyringCall{}, false
			}
			value = args[i]
		}
		switch {
		case name == "--mode" && (value == "creds" || value == "password"):
			call.creds = value == "creds"
		case name == "--output" && (value == "json" || value == "plain"):
			call.json = value == "json"
		default:
			return keyringCall{}, false
		}
	}
	if len(words) < 2 || len(words) > 3 {
		return keyringCall{}, false
	}
	call.operation, call.service = words[0], words[1]
	if len(words) == 3 {
		call.user = words[2]
	}
	return call, call.operation == "get" || call.operation == "set" || call.operation == "del"
}

// answer writes what the keyring command would: the password, or with creds
// the user name as well; as lines or as JSON.
func (k keyringCall) answer(w io.Writer, target *Target, tok *session.Token) error {
	answer := struct {
		Username string `json:"username,omitempty"`
		Password string `json:"password"`
	}{Password: tok.Value.Reveal()}
	if strings.ContainsAny(answer.Password, "\r\n") {
		return &UsageError{Message: "the token holds a line end, which the keyring command's answer can't carry"}
	}
	if k.creds {
		answer.Username = cmp.Or(k.user, target.Username, DefaultUsername)
	}
	if k.json {
		return json.NewEncoder(w).Encode(answer) //nolint:gosec // giving it out is the purpose
	}
	text := answer.Password + "\n"
	if k.creds {
		text = answer.Username + "\n" + text
	}
	_, err := io.WriteString(w, text)
	return err
}
