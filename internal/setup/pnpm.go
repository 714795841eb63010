package setup

import (
	"context"
	"path/filepath"
	"strings"
)

// Pnpm makes pnpm ask oidc-cred for a registry's token. pnpm runs a program
// without arguments and doesn't say for which registry, so the link that it
// runs carries the profile in its name.
type Pnpm struct {
	Common
	// Host of the registry, or its URL.
	Host string
	// Force replaces another program.
	Force bool
}

// Run does it.
func (n Pnpm) Run(_ context.Context) error {
	url, err := serverURL(n.Host)
	if err != nil {
		return err
	}
	_, host, _ := strings.Cut(url, "://")
	file, err := n.npmrc()
	if err != nil {
		return err
	}
	key := "//" + host + "/:tokenHelper"
	if err := n.keepFolder(file, key); err != nil {
		return err
	}
	if n.Remove {
		return n.remove(file, key, host)
	}
	if err := checkProgram(n.Executable); err != nil {
		return err
	}
	if err := plainForPnpm(n.wouldLink(n.linkName())); err != nil {
		return err
	}
	if n.Print {
		return n.say("# in %s\n%s=%s\n# which is a link to this program", file, key, n.wouldLink(n.linkName()))
	}
	return n.add(file, key, host)
}

// keepFolder leaves the link where an earlier setup put it, unless another
// folder is asked for.
func (n *Pnpm) keepFolder(file, key string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	if value, _ := iniGet(data, "", key); n.BinDir == "" && n.ourLink(value) && isOurs([]string{value}, "pnpm", n.Executable) {
		n.BinDir = filepath.Dir(value)
	}
	return nil
}

func (n Pnpm) add(file, key, host string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	if other, ok := iniGet(data, "", key); ok && !isOurs([]string{other}, "pnpm", n.Executable) && !n.Force {
		return usage("add --force to replace it", "%s has the token helper %q for %s", file, other, host)
	}
	_, _, changed, err := n.linkFor(n.linkName(), func(path string, dry bool) (bool, error) {
		if err := plainForPnpm(path); err != nil || dry {
			return false, err
		}
		return n.editFile(file, 0o600, func(old []byte) ([]byte, error) { return iniSet(old, "", key, path), nil })
	})
	if err != nil {
		return err
	}
	text := "pnpm now asks oidc-cred for the token of %s with profile %s (%s)"
	if !changed {
		text = "pnpm asks oidc-cred for the token of %s with profile %s already; nothing to change (%s)"
	}
	if err := n.say(text, host, n.Profile, file); err != nil {
		return err
	}
	if n.Config != "" {
		if err := n.say("note: pnpm gives its helper no arguments, so set OIDC_CRED_CONFIG=%s where pnpm runs", n.Config); err != nil {
			return err
		}
	}
	return n.say("try it with: pnpm install (in a project with packages from there)")
}

func (n Pnpm) remove(file, key, host string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	value, has := iniGet(data, "", key)
	if !has || !isOurs([]string{value}, "pnpm", n.Executable) {
		return n.say("pnpm does not ask oidc-cred for the token of %s; nothing to remove", host)
	}
	if n.Print {
		return n.say("would remove %s from %s", key, file)
	}
	if _, err := n.editFile(file, 0o600, func(old []byte) ([]byte, error) { return iniUnset(old, "", key), nil }); err != nil {
		return err
	}
	if err := n.say("pnpm no longer asks oidc-cred for the token of %s (%s)", host, file); err != nil {
		return err
	}
	left, err := pnpmEntries(n.Common)
	if err != nil {
		return err
	}
	for _, e := range left {
		if e.Profile == n.Profile {
			return nil // another registry uses the link
		}
	}
	_, err = n.unlink(n.linkName())
	return err
}

// linkName carries the profile.
func (n Pnpm) linkName() string { return "oidc-cred-pnpm@" + n.Profile }

// plainForPnpm refuses a path that pnpm can't be given: it splits the value at
// blanks, and its older versions hand it to a shell.
func plainForPnpm(path string) error {
	for _, r := range path {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80
		if !letter && !strings.ContainsRune(`/\._-+:@,~`, r) {
			return usage("name a folder without such characters with --bin-dir", "pnpm can't run %s, because of the %q in its path", path, r)
		}
	}
	return nil
}

// npmrc is the user's file: pnpm takes a token helper from no project's.
func (n Pnpm) npmrc() (string, error) {
	for _, name := range []string{"npm_config_userconfig", "NPM_CONFIG_USERCONFIG"} {
		if file := n.getenv(name); file != "" {
			return file, nil
		}
	}
	return n.home(".npmrc")
}

// pnpmEntries are the registries that setup has put into the user's .npmrc.
func pnpmEntries(c Common) ([]Entry, error) {
	file, err := Pnpm{Common: c}.npmrc()
	if err != nil {
		return nil, err
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, l := range readINI(data) {
		registry, isHelper := strings.CutSuffix(l.key, ":tokenHelper")
		if !isHelper || !isOurs([]string{l.value}, "pnpm", c.Executable) {
			continue
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(registry, "//"), "/")
		_, profile, _ := strings.Cut(strings.TrimSuffix(l.value, ".exe"), "@")
		entries = append(entries, Entry{Where: file, Host: host, Profile: profile, Program: l.value})
	}
	return entries, nil
}
