package setup

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// Bazel makes Bazel ask oidc-cred for a host's headers.
type Bazel struct {
	Common
	// Host is the server that gets the token: cache.example.com, with ":port"
	// if need be, or *.example.com.
	Host string
}

const bazelLink = "oidc-cred-bazel"

// Run does it. Bazel can be told a program and no arguments, so it is a link,
// and which profile it is goes by the profiles' hosts.
func (t Bazel) Run(_ context.Context) error {
	name, err := t.name()
	if err != nil {
		return err
	}
	file, err := t.home(".bazelrc")
	if err != nil {
		return err
	}
	switch {
	case t.Remove:
		return t.remove(file, name)
	case t.Print:
		return t.say("# in %s\n%s\n# and a link %s to this program", file, bazelLine(name, t.wouldLink(bazelLink)), t.wouldLink(bazelLink))
	default:
		return t.add(file, name)
	}
}

// name is the host as Bazel compares it: without a port.
func (t Bazel) name() (string, error) {
	host := strings.ToLower(t.Host)
	for _, scheme := range []string{"https://", "grpcs://"} {
		host = strings.TrimPrefix(host, scheme)
	}
	host, _, _ = strings.Cut(host, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	below := strings.TrimPrefix(host, "*.")
	if below == "" || strings.Trim(below, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", usage("it is like cache.example.com or *.example.com", "%q is no host for Bazel", t.Host)
	}
	return host, nil
}

func (t Bazel) add(file, name string) error {
	if err := checkProgram(t.Executable); err != nil {
		return err
	}
	path, changed, edited, err := t.linkFor(bazelLink, func(path string, dry bool) (bool, error) {
		path = filepath.ToSlash(path) // which Windows takes too
		if strings.ContainsAny(path, "'\"\\\r\n") {
			return false, usage("choose another folder with --bin-dir", "%s has characters that a .bazelrc can't hold", path)
		}
		edit := func(old []byte) ([]byte, error) { return withBazelLine(old, file, name, path) }
		if dry {
			return false, tryEdit(file, edit)
		}
		return t.editFile(file, 0o600, edit)
	})
	switch {
	case err != nil:
		return err
	case edited:
		err = t.say("Bazel asks oidc-cred for the headers of %s (%s)", name, file)
	case !changed:
		err = t.say("Bazel asks oidc-cred for the headers of %s already (%s); nothing to change", name, file)
	}
	if err != nil {
		return err
	}
	if t.Config != "" {
		if err := t.say("note: Bazel can't be told where the configuration is: have OIDC_CRED_CONFIG=%s in its environment", t.Config); err != nil {
			return err
		}
	}
	return t.say("try it with a build that uses %s, or: echo '{\"uri\":\"https://%s/\"}' | %s get", name, t.Host, path)
}

func (t Bazel) remove(file, name string) error {
	found, others := false, false
	edit := func(old []byte) ([]byte, error) {
		var kept strings.Builder
		for line := range strings.Lines(string(old)) {
			host, path, ok := readBazelLine(line)
			ours := ok && isOurs([]string{path}, "bazel", t.Executable)
			if ours && host == name {
				found = true
				continue
			}
			others = others || ours
			kept.WriteString(line)
		}
		return []byte(kept.String()), nil
	}
	if t.Print {
		if err := tryEdit(file, edit); err != nil {
			return err
		}
	} else if _, err := t.editFile(file, 0o600, edit); err != nil {
		return err
	}
	verb := "removed"
	switch {
	case !found:
		if err := t.say("%s has nothing of ours for %s; nothing to remove", file, name); err != nil {
			return err
		}
	case t.Print:
		verb = "would remove"
		fallthrough
	default:
		if err := t.say("%s the line for %s from %s", verb, name, file); err != nil {
			return err
		}
	}
	if others {
		return nil
	}
	_, err := t.unlink(bazelLink)
	return err
}

// bazelLine is the line of a .bazelrc.
func bazelLine(name, path string) string {
	value := "--credential_helper=" + name + "=" + path
	if strings.ContainsAny(path, " \t#") {
		value = `"` + value + `"`
	}
	return "common " + value
}

// readBazelLine reads a line that names a credential helper for a host.
func readBazelLine(line string) (host, path string, ok bool) {
	words := shellWords(strings.TrimSpace(line))
	if len(words) != 2 {
		return "", "", false
	}
	value, ok := strings.CutPrefix(words[1], "--credential_helper=")
	host, path, found := strings.Cut(value, "=")
	return host, path, ok && found
}

// withBazelLine sets the host's line. Of several lines for a host the last one
// counts, so one that is not ours is not to stand behind ours.
func withBazelLine(old []byte, file, name, path string) ([]byte, error) {
	want := bazelLine(name, path)
	eol := "\n"
	if strings.Contains(string(old), "\r\n") {
		eol = "\r\n"
	}
	var out strings.Builder
	done := false
	for line := range strings.Lines(string(old)) {
		host, program, ok := readBazelLine(line)
		switch {
		case !ok || host != name:
			out.WriteString(line)
		case !isOurs([]string{program}, "bazel", path):
			return nil, usage("take that line out first", "%s has another credential helper for %s: %s", file, name, program)
		case !done && program == path:
			out.WriteString(line)
			done = true
		case !done:
			out.WriteString(want + eol)
			done = true
		}
	}
	if !done {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteString(eol)
		}
		fmt.Fprintf(&out, "%s%s", want, eol)
	}
	return []byte(out.String()), nil
}

// bazelEntries are what setup has put into the tool's configuration.
func bazelEntries(c Common) ([]Entry, error) {
	file, err := c.home(".bazelrc")
	if err != nil {
		return nil, err
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for line := range strings.Lines(string(data)) {
		if host, path, ok := readBazelLine(line); ok && isOurs([]string{path}, "bazel", c.Executable) {
			entries = append(entries, Entry{Where: file, Host: host, AnyPort: true, Program: path})
		}
	}
	return entries, nil
}
