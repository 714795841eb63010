package setup

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
)

// Docker makes docker, and what else reads its configuration, ask oidc-cred for
// one registry's credential: credHelpers, and never credsStore, which is for
// every registry.
type Docker struct {
	Common
	// Host is registry.example.com, with ":port" if need be, or its URL.
	Host string
	// Podman writes podman's auth.json (containers-auth.json(5)) instead.
	Podman bool
	// Force replaces another helper of the registry.
	Force bool
	// Others are the registries that it was set up for as well, maybe in
	// another of docker's folders: while there is one, Remove leaves the link.
	Others []string
}

// dockerHelper is what the helper is called in docker's configuration, and
// dockerLink the program that docker looks for.
const (
	dockerHelper = "oidc-cred"
	dockerLink   = "docker-credential-" + dockerHelper
)

// Run does it.
func (t Docker) Run(context.Context) error {
	host, err := dockerHost(t.Host)
	if err != nil {
		return err
	}
	path, err := t.dockerFile(t.Podman)
	if err != nil {
		return err
	}
	old, err := readFile(path)
	if err != nil {
		return err
	}
	before, err := dockerHelperOf(old, host)
	if err != nil {
		return inFile(path, err)
	}
	if t.Remove {
		return t.remove(path, host, before)
	}
	if err := checkProgram(t.Executable); err != nil {
		return err
	}
	if before != "" && !isDockerHelper(before) && !t.Force {
		return usage("add --force to replace it", "%s names the helper %q for %s already", path, before, host)
	}
	if t.Print {
		return t.print(path, host)
	}
	return t.add(path, host, before)
}

func (t Docker) add(path, host, before string) error {
	changed := false
	if before != dockerHelper && before != dockerHelper+"@"+t.Profile {
		var err error
		changed, err = t.editFile(path, 0o600, func(old []byte) ([]byte, error) {
			data, err := jsonSet(old, dockerHelper, "credHelpers", host)
			return data, inFile(path, err)
		})
		if err != nil {
			return err
		}
	}
	_, made, err := t.link(dockerLink, true)
	if err != nil {
		return err
	}
	if !changed && !made {
		err = t.say("%s asks oidc-cred for %s already; nothing to change", t.name(), host)
	} else {
		err = t.say("%s now asks oidc-cred for %s (%s)", t.name(), host, path)
	}
	if err != nil {
		return err
	}
	if err := t.notes(path, host); err != nil {
		return err
	}
	if t.Podman {
		return t.say("try it: podman login --get-login %s", host)
	}
	return t.say("try it: docker login %s", host)
}

func (t Docker) print(path, host string) error {
	data, err := jsonSet(nil, dockerHelper, "credHelpers", host)
	if err != nil {
		return err
	}
	if link := t.linked(dockerLink); link == "" || !t.current(link) {
		if err := t.say("# %s, a link to %s", t.wouldLink(dockerLink), t.Executable); err != nil {
			return err
		}
	}
	return t.say("# in %s\n%s", path, bytes.TrimSpace(data))
}

func (t Docker) remove(path, host, before string) error {
	if !isDockerHelper(before) {
		return t.say("%s does not ask oidc-cred for %s; nothing to remove", t.name(), host)
	}
	edit := func(old []byte) ([]byte, error) {
		data, err := jsonUnset(old, "credHelpers", host)
		return data, inFile(path, err)
	}
	if t.Print {
		if err := t.say("would remove %s from credHelpers in %s", host, path); err != nil {
			return err
		}
	} else {
		if _, err := t.editFile(path, 0o600, edit); err != nil {
			return err
		}
		if err := t.say("%s no longer asks oidc-cred for %s (%s)", t.name(), host, path); err != nil {
			return err
		}
	}
	return t.unlinkUnused(Entry{Where: path, Host: host})
}

// unlinkUnused removes the link with the last entry that needs it. One that a
// package has put where we can't write stays.
func (t Docker) unlinkUnused(gone Entry) error {
	entries, err := dockerEntries(t.Common)
	if err != nil {
		return nil //nolint:nilerr // the other file can't be read: the link may be needed
	}
	used := len(t.Others) > 0 || slices.ContainsFunc(entries, func(e Entry) bool { return e.Where != gone.Where || e.Host != gone.Host })
	link := t.linked(dockerLink)
	if used || link == "" || !writable(filepath.Dir(link)) {
		return nil
	}
	_, err = t.unlink(dockerLink)
	return err
}

// notes say what keeps the entry from working, or is of no use beside it.
func (t Docker) notes(path, host string) error {
	if t.Config != "" {
		if err := t.say("note: %s calls the helper without arguments, so it needs OIDC_CRED_CONFIG=%s in its environment", t.name(), t.Config); err != nil {
			return err
		}
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	if holdsLogin(data, host) {
		if err := t.say("note: a password for %s is still kept in %s, under auths; it is no longer used and can be deleted there", host, path); err != nil {
			return err
		}
	}
	// podman login writes here, and podman looks here first.
	dir := t.getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return nil
	}
	runtime := filepath.Join(dir, "containers", "auth.json")
	if data, err := readFile(runtime); err == nil && runtime != path && holdsLogin(data, host) {
		return t.say("note: podman, skopeo and buildah take the password for %s in %s first; 'podman logout %s' removes it", host, runtime, host)
	}
	return nil
}

func (t Docker) name() string {
	if t.Podman {
		return "podman"
	}
	return "docker"
}
