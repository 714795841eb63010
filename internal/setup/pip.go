package setup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Pip makes pip and uv ask oidc-cred for an index's user name and password.
// Both look for a command named keyring in PATH, so oidc-cred is put there
// under that name, in a folder of its own: a keyring that is installed stays
// where it is and is still asked about every other server.
type Pip struct {
	Common
	// Host of the index, or its URL.
	Host string
	// Others are the hosts that it was set up for as well: while there is one,
	// Remove leaves the link.
	Others []string
}

const (
	// keyringLink is the command that pip and uv look for, keyringProvider
	// what they have to be told so that they do.
	keyringLink     = "keyring"
	keyringProvider = "subprocess"
)

// Run does it.
func (p Pip) Run(_ context.Context) error {
	url, err := serverURL(p.Host)
	if err != nil {
		return err
	}
	if p.BinDir == "" {
		if p.BinDir, err = p.keyringDir(); err != nil {
			return err
		}
	}
	switch {
	case p.Remove && len(p.Others) > 0:
		return p.say("pip and uv go on asking oidc-cred, for %s", strings.Join(p.Others, ", "))
	case p.Remove:
		return p.remove()
	case p.Print:
		return p.say("# a link %s to this program, and in the profile of your shell:\n%s", p.wouldLink("keyring"), strings.Join(p.lines(false), "\n"))
	}
	if err := checkProgram(p.Executable); err != nil {
		return err
	}
	other, hasOther := p.otherKeyring()
	_, made, err := p.link("keyring", false)
	if err != nil {
		return err
	}
	if hasOther {
		if err := p.say("%s is still asked about every server that no profile has", other); err != nil {
			return err
		}
	}
	if lines := p.lines(true); len(lines) > 0 {
		if err := p.say("add to the profile of your shell, and open a new terminal:\n%s", strings.Join(lines, "\n")); err != nil {
			return err
		}
	} else if !made {
		if err := p.say("pip and uv ask oidc-cred already; nothing to change"); err != nil {
			return err
		}
	}
	index := strings.Replace(url, "://", "://oauth2@", 1) + "/simple/"
	return p.say("try it with: pip download --no-deps --index-url %s PACKAGE", index)
}

// serverURL is the scheme and the host of a URL, which may have a user, or of a
// bare host.
func serverURL(text string) (string, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "https", text
	}
	rest, _, _ = strings.Cut(rest, "/")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	url, err := gitURL(scheme + "://" + rest)
	if err != nil {
		return "", err
	}
	if strings.Contains(url, "*") {
		return "", usage("give the name of one server; a pattern may stand in the profile's hosts", "%q is no server", text)
	}
	return url, nil
}

// keyringDir is the folder that holds nothing but the link.
func (p Pip) keyringDir() (string, error) {
	if runtime.GOOS == "windows" {
		if local := p.getenv("LOCALAPPDATA"); local != "" {
			return filepath.Join(local, "oidc-cred", "bin"), nil
		}
	}
	if data := p.getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "oidc-cred", "bin"), nil
	}
	return p.home(".local", "share", "oidc-cred", "bin")
}

// otherKeyring finds the keyring command that is not ours.
func (p Pip) otherKeyring() (string, bool) {
	for _, dir := range filepath.SplitList(p.getenv("PATH")) {
		one := p.Common
		one.Getenv = func(string) string { return dir }
		if path, ok := one.onPath("keyring"); ok && !p.ourLink(path) {
			return path, true
		}
	}
	return "", false
}

// lines are what the shell has to be told; with missing only what it has not
// been told yet.
func (p Pip) lines(missing bool) []string {
	windows := runtime.GOOS == "windows"
	set := func(name, value string) string {
		if windows {
			return "  $env:" + name + " = '" + value + "'"
		}
		return "  export " + name + "=" + value
	}
	var lines []string
	if first, ok := p.onPath("keyring"); !missing || !ok || !p.ourLink(first) {
		if windows {
			lines = append(lines, "  $env:Path = '"+p.BinDir+";' + $env:Path")
		} else {
			lines = append(lines, `  export PATH="`+p.BinDir+`:$PATH"`)
		}
	}
	for _, name := range []string{"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"} {
		if !missing || p.getenv(name) != "subprocess" {
			lines = append(lines, set(name, "subprocess"))
		}
	}
	if p.Config != "" && (!missing || p.getenv("OIDC_CRED_CONFIG") != p.Config) {
		lines = append(lines, set("OIDC_CRED_CONFIG", p.Config))
	}
	return lines
}

func (p Pip) remove() error {
	removed, err := p.unlink("keyring")
	if err != nil {
		return err
	}
	if !removed {
		return p.say("pip and uv do not ask oidc-cred; nothing to remove")
	}
	if p.Print {
		return nil
	}
	// Nothing but the link was ours.
	if err := os.Remove(p.BinDir); err != nil && !errors.Is(err, fs.ErrNotExist) && !notEmpty(p.BinDir) {
		return err
	}
	return p.say("take out of the profile of your shell:\n%s", strings.Join(p.lines(false), "\n"))
}

func notEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) > 0
}

// pipEntries are what setup has made for pip and uv.
func pipEntries(c Common) ([]Entry, error) {
	p := Pip{Common: c}
	if path, ok := p.onPath(keyringLink); ok && p.ourLink(path) {
		return []Entry{{Where: path, Program: keyringLink, Link: path}}, nil
	}
	if p.BinDir == "" {
		var err error
		if p.BinDir, err = p.keyringDir(); err != nil {
			return nil, err
		}
	}
	if path := p.linked(keyringLink); path != "" {
		return []Entry{{Where: path, Program: keyringLink, Link: path}}, nil
	}
	return nil, nil
}
