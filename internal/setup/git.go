package setup

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Git makes git ask oidc-cred for one server's credential.
type Git struct {
	// Host is git.example.com, with ":port" if need be, or its URL. Plain http
	// goes only with an address of this machine.
	Host string
	// Profile whose token the server gets.
	Profile string
	// Config is oidc-cred's configuration file, if it is not the usual one.
	Config string
	// Username to send with the token; "" leaves it to the profile.
	Username string
	// Print shows what would be written, and changes nothing.
	Print bool
	// Remove takes it out again.
	Remove bool

	// Created is as in [Common].
	Created string

	// Executable is the absolute path of oidc-cred.
	Executable string
	// Program is git; "" finds it in PATH.
	Program string
	// Env is git's environment; nil is this process's.
	Env []string
	Out io.Writer
}

// Check says what is wrong with it, before anything is done.
func (g Git) Check() error {
	if _, err := gitURL(g.Host); err != nil || g.Remove {
		return err
	}
	if err := checkProgram(g.Executable); err != nil {
		return err
	}
	if g.Profile == "" {
		return usage("", "no profile is given")
	}
	return nil
}

// Run does it.
func (g Git) Run(ctx context.Context) error {
	if err := g.Check(); err != nil {
		return err
	}
	url, err := gitURL(g.Host)
	if err != nil {
		return err
	}
	c := &gitConfig{ctx: ctx, program: g.Program, env: g.Env, created: g.Created}
	switch {
	case g.Remove:
		return g.remove(c, url)
	case g.Print:
		return say(g.Out, "%s", gitSection(url, []string{"", g.helper()}))
	default:
		return g.add(c, url)
	}
}

// Try is a command that shows whether it works, "" for a pattern of hosts.
func (g Git) Try() string {
	url, err := gitURL(g.Host)
	if err != nil || strings.Contains(url, "*") {
		return ""
	}
	return "git ls-remote " + url + "/…/REPOSITORY.git"
}

// helper is the value that git runs.
func (g Git) helper() string {
	words := []string{filepath.ToSlash(g.Executable), "helper", "git", "--profile", g.Profile}
	if g.Config != "" {
		words = append(words, "--config", filepath.ToSlash(g.Config))
	}
	if g.Username != "" {
		words = append(words, "--username", g.Username)
	}
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// add puts our helper last, behind an empty one that clears the list: helpers
// configured for every server, such as a store in plain text, would otherwise
// be handed the token.
func (g Git) add(c *gitConfig, url string) error {
	key := helperKey(url)
	before, err := c.all(key)
	if err != nil {
		return err
	}
	want := append(g.without(before), "", g.helper())
	late, err := c.laterHelpers(key)
	if err != nil {
		return err
	}
	changed := false
	if !slices.Equal(before, want) || len(late) > 0 && c.movable(url) {
		saved, err := c.edit(func() error { return c.write(key, before, want, len(late) > 0) })
		if err != nil {
			return err
		}
		changed = true
		if saved != "" {
			if err := say(g.Out, "the former configuration is kept in %s", saved); err != nil {
				return err
			}
		}
		if late, err = c.laterHelpers(key); err != nil {
			return err
		}
	}
	for _, h := range late {
		if err := say(g.Out, "note: the helper %q stands later in %s, applies to every server and gets this token too; move it up", h, c.path()); err != nil {
			return err
		}
	}
	if !changed {
		return say(g.Out, "git asks oidc-cred for %s with profile %s already; nothing to change", url, g.Profile)
	}
	return say(g.Out, "git now asks oidc-cred for %s with profile %s (%s)", url, g.Profile, c.path())
}

func (g Git) remove(c *gitConfig, url string) error {
	key := helperKey(url)
	before, err := c.all(key)
	if err != nil {
		return err
	}
	want := g.without(before)
	switch {
	case slices.Equal(before, want):
		return say(g.Out, "git does not ask oidc-cred for %s; nothing to remove", url)
	case g.Print:
		return say(g.Out, "%s", gitSection(url, before[len(commonPrefix(before, want)):]))
	}
	if _, err := c.edit(func() error { return c.write(key, before, want, false) }); err != nil {
		return err
	}
	return say(g.Out, "git no longer asks oidc-cred for %s (%s)", url, c.path())
}

// without drops our helpers, each with the empty one right before it.
func (g Git) without(values []string) []string {
	var out []string
	for _, v := range values {
		if !isOurs(shellWords(strings.TrimPrefix(v, "!")), "git", g.Executable) {
			out = append(out, v)
			continue
		}
		if n := len(out); n > 0 && out[n-1] == "" {
			out = out[:n-1]
		}
	}
	return out
}

func helperKey(url string) string { return "credential." + url + ".helper" }

// gitSection is the text of a section with these helpers, git-config(1).
func gitSection(url string, helpers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[credential %q]", url)
	for _, h := range helpers {
		h = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(h)
		if strings.ContainsAny(h, "#;") || strings.TrimSpace(h) != h {
			h = `"` + h + `"`
		}
		b.WriteString(strings.TrimRight("\n\thelper = "+h, " "))
	}
	return b.String()
}

// gitURL is the URL by which git's configuration names the server.
func gitURL(host string) (string, error) {
	const example = "give a host such as git.example.com, git.example.com:8443 or http://127.0.0.1:3000"
	scheme, rest, found := strings.Cut(host, "://")
	if !found {
		scheme, rest = "https", host
	}
	scheme = strings.ToLower(scheme)
	rest = strings.ToLower(strings.TrimSuffix(rest, "/"))
	if scheme != "https" && scheme != "http" {
		return "", usage(example, "%q is not an https server", host)
	}
	name, port, err := net.SplitHostPort(rest)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]"), ""
	}
	if !goodHost(name) || strings.Trim(port, "0123456789") != "" || strings.HasSuffix(rest, ":") {
		return "", usage(example, "%q is no host", host)
	}
	if scheme == "http" && !loopback(name) {
		return "", usage("use https://"+rest, "%s over plain http would show the token to anyone on the way", name)
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		port = ":" + port
	}
	return scheme + "://" + name + port, nil
}

// goodHost takes a name, an address, or a name after "*.", where git lets the
// star stand for one label.
func goodHost(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Zone() == ""
	}
	name = strings.TrimPrefix(name, "*.")
	bad := func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@?#"'<>|^%&=,;:*[]`, r)
	}
	return name != "" && !strings.ContainsFunc(name, bad) && !strings.Contains("."+name+".", "..")
}

func loopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback() || name == "localhost"
}

func commonPrefix(a, b []string) []string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
