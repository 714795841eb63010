package helper

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// Go answers one call of go's GOAUTH command, see "go help goauth". Without an
// argument it gives the tokens of all hosts that are mapped by their names, and
// after a 4xx, with the URL as argument, that of the URL's host. The go command
// throws away what stands on stderr, so nothing warns and nobody signs in here.
func Go(ctx context.Context, env Env, args []string) error {
	switch len(args) {
	case 0:
		return goAll(ctx, env)
	case 1:
		return goURL(ctx, env, args[0])
	}
	return &UsageError{Message: "the go command gives a URL or nothing"}
}

// goSet is a profile with the URLs that get its token.
type goSet struct {
	target *Target
	urls   []string
}

// goAll is the call before the first request. A profile that has no token now
// must not keep the others', so an error counts only where nothing is given.
func goAll(ctx context.Context, env Env) error {
	sets, err := goSets(env)
	if err != nil {
		return err
	}
	var out strings.Builder
	var errs []error
	for _, set := range sets {
		tok, err := set.target.token(ctx, session.Request{}, false)
		if err == nil {
			err = goCredential(&out, tok, set.urls)
		}
		errs = append(errs, err)
	}
	if out.Len() == 0 {
		return errors.Join(errs...)
	}
	_, err = io.WriteString(env.Stdout, out.String())
	return err
}

// goSets are the hosts of the configuration by profile, without wildcards,
// which the go command does not know.
func goSets(env Env) ([]*goSet, error) {
	mappings, err := env.Mapped()
	if err != nil {
		return nil, err
	}
	var sets []*goSet
	byProfile := map[string]*goSet{}
	for _, m := range mappings {
		for _, url := range goURLs(m.Hosts) {
			set := byProfile[m.Profile]
			if set == nil || len(mappings) > 1 { // several may name the host
				server, _ := ParseServer(url)
				target, err := env.target(server)
				if err != nil {
					return nil, err
				}
				if target == nil {
					continue
				}
				if set = byProfile[target.Profile]; set == nil {
					set = &goSet{target: target}
					sets, byProfile[target.Profile] = append(sets, set), set
				}
			}
			if !slices.Contains(set.urls, url) {
				set.urls = append(set.urls, url)
			}
		}
	}
	return sets, nil
}

// goURLs are the patterns that name one host, each once, as the go command
// writes it in a URL.
func goURLs(patterns []string) []string {
	var urls []string
	for _, p := range patterns {
		name, port, ok := splitHost(p) // takes no wildcard
		if !ok || strings.ContainsFunc(name, notInHeader) {
			continue
		}
		if url := goHost(name, port); !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	return urls
}

func goHost(name, port string) string {
	switch {
	case port != "" && port != "443":
		return "https://" + net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		return "https://[" + name + "]"
	}
	return "https://" + name
}

// goURL is the call after a 4xx. A 401 means that the token was refused, if the
// request had one. Any other status may stand for a server that hides from
// strangers what there is: it gets the token, and the same again if it had it.
func goURL(ctx context.Context, env Env, url string) error {
	server, ok := ParseServer(url)
	if !ok || server.Scheme != "https" || !strings.Contains(url, "://") {
		return nil
	}
	target, err := env.target(server)
	if err != nil || target == nil {
		return err
	}
	refused, err := goRefused(env, server)
	if err != nil {
		return err
	}
	tok, err := target.token(ctx, session.Request{Refused: refused}, false)
	if err != nil {
		return err
	}
	// The host as it stands in the URL, for that is how the go command finds
	// the credential again.
	var out strings.Builder
	if err := goCredential(&out, tok, []string{"https://" + server.Host}); err != nil {
		return err
	}
	_, err = io.WriteString(env.Stdout, out.String())
	return err
}

// goRefused says whether the response is that to a token of ours.
func goRefused(env Env, server Server) (bool, error) {
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(env.Stdin, maxGoResponse)), nil)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return false, nil //nolint:nilerr // the token is good as long as nothing says otherwise
	}
	_ = response.Body.Close()
	// To a host by its name the first call gave the token. To one that a
	// wildcard names it gave none, and a server says only of a token that it
	// got that it is invalid: RFC 6750 §3.1.
	mappings, err := env.Mapped()
	if err != nil {
		return false, err
	}
	for _, m := range mappings {
		exact := slices.DeleteFunc(slices.Clone(m.Hosts), func(p string) bool { return strings.HasPrefix(p, "*") })
		if server.Matches(exact) {
			return true, nil
		}
	}
	return strings.Contains(strings.Join(response.Header.Values("WWW-Authenticate"), ","), "invalid_token"), nil
}

// maxGoResponse bounds the head of a response that the go command passes on.
const maxGoResponse = 1 << 20

// goCredential is one set of the protocol: URLs, a blank line, headers, a blank
// line.
func goCredential(out *strings.Builder, tok *session.Token, urls []string) error {
	value, err := bearer(tok)
	if err != nil {
		return err
	}
	out.WriteString(strings.Join(urls, "\n") + "\n\nAuthorization: " + value + "\n\n")
	return nil
}
