package setup

import (
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// dockerFile is docker's configuration or podman's. Of podman's two the one
// that a restart leaves is taken.
func (c Common) dockerFile(podman bool) (string, error) {
	if podman {
		switch {
		case c.getenv("REGISTRY_AUTH_FILE") != "":
			return c.getenv("REGISTRY_AUTH_FILE"), nil
		case c.getenv("XDG_CONFIG_HOME") != "":
			return filepath.Join(c.getenv("XDG_CONFIG_HOME"), "containers", "auth.json"), nil
		}
		return c.home(".config", "containers", "auth.json")
	}
	if dir := c.getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json"), nil
	}
	return c.home(".docker", "config.json")
}

// dockerHost is the registry as docker's configuration names it.
func dockerHost(host string) (string, error) {
	scheme, rest, found := strings.Cut(host, "://")
	if !found {
		scheme, rest = "https", host
	}
	rest, _, _ = strings.Cut(rest, "/")
	url, err := gitURL(scheme + "://" + rest)
	if err != nil || strings.Contains(rest, "*") {
		return "", usage("give a registry such as registry.example.com or registry.example.com:5000", "%q is no registry that docker can be told of", host)
	}
	_, name, _ := strings.Cut(url, "://")
	switch name {
	case "docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com":
		return "", usage("use 'docker login' for it", "Docker Hub takes no token of another provider")
	}
	return name, nil
}

// dockerHelperOf is the helper that the file names for the registry, "" if it
// names none.
func dockerHelperOf(data []byte, host string) (string, error) {
	raw, found, err := jsonGet(data, "credHelpers", host)
	if err != nil || !found {
		return "", err
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", usage(correctFirst, "credHelpers has no name for %s", host)
	}
	return name, nil
}

// holdsLogin says whether docker's or podman's file has a password of the host.
func holdsLogin(data []byte, host string) bool {
	raw, found, err := jsonGet(data, "auths", host)
	if err != nil || !found {
		return false
	}
	var login struct {
		Auth          string `json:"auth"`
		IdentityToken string `json:"identitytoken"`
	}
	return json.Unmarshal(raw, &login) == nil && login.Auth+login.IdentityToken != ""
}

// isDockerHelper says whether the helper is this program, for whatever profile.
func isDockerHelper(name string) bool {
	base, _, _ := strings.Cut(name, "@")
	return base == dockerHelper
}

// dockerEntries are what setup has put into the tool's configuration.
func dockerEntries(c Common) ([]Entry, error) {
	var entries []Entry
	var failed error
	for _, podman := range []bool{false, true} {
		path, err := c.dockerFile(podman)
		if err != nil {
			return nil, err
		}
		found, err := dockerEntriesIn(path)
		for i := range found {
			found[i].Program, found[i].Link = dockerLink, c.linked(dockerLink)
		}
		entries, failed = append(entries, found...), errors.Join(failed, err)
	}
	return entries, failed
}

func dockerEntriesIn(path string) ([]Entry, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	raw, found, err := jsonGet(data, "credHelpers")
	if err != nil || !found {
		return nil, inFile(path, err)
	}
	var helpers map[string]any // another shape than docker's is none of ours
	if json.Unmarshal(raw, &helpers) != nil {
		return nil, nil
	}
	var entries []Entry
	for _, host := range slices.Sorted(maps.Keys(helpers)) {
		if name, ok := helpers[host].(string); ok && isDockerHelper(name) {
			_, profile, _ := strings.Cut(name, "@")
			entries = append(entries, Entry{Where: path, Host: host, Profile: profile})
		}
	}
	return entries, nil
}

// inFile says which file an error is about.
func inFile(path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		with := *e
		with.Message = path + ": " + e.Message
		return &with
	}
	return err
}
