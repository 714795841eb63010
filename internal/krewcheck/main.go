// Command krewcheck checks the manifest of the kubectl plugin that a release
// has made, by the rules of krew's index, and that each archive it names holds
// the program: go run ./internal/krewcheck dist
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// manifest is a Plugin of krew.googlecontainertools.github.com/v1alpha2, as far
// as ours has it.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		Version          string     `yaml:"version"`
		ShortDescription string     `yaml:"shortDescription"`
		Description      string     `yaml:"description"`
		Caveats          string     `yaml:"caveats"`
		Homepage         string     `yaml:"homepage"`
		Platforms        []platform `yaml:"platforms"`
	} `yaml:"spec"`
}

type platform struct {
	URI      string `yaml:"uri"`
	SHA256   string `yaml:"sha256"`
	Bin      string `yaml:"bin"`
	Selector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	} `yaml:"selector"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: krewcheck DIST")
		os.Exit(2)
	}
	dist := os.Args[1]
	m, err := read(filepath.Join(dist, "krew", "oidc-cred.yaml"))
	if err == nil {
		err = errors.Join(m.check(), m.checkArchives(dist))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "krewcheck:", err)
		os.Exit(1)
	}
	fmt.Printf("krewcheck: %s %s for %d platforms\n", m.Metadata.Name, m.Spec.Version, len(m.Spec.Platforms))
}

// read refuses keys that krew does not know.
func read(file string) (*manifest, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var m manifest
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &m, nil
}

var (
	pluginName = regexp.MustCompile(`^[\w-]+$`)
	version    = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	sum        = regexp.MustCompile(`^[a-f0-9]{64}$`)
)

func (m *manifest) check() error {
	s := m.Spec
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(m.APIVersion == "krew.googlecontainertools.github.com/v1alpha2", "apiVersion %q", m.APIVersion)
	want(m.Kind == "Plugin", "kind %q", m.Kind)
	want(m.Metadata.Name == "oidc-cred" && pluginName.MatchString(m.Metadata.Name), "the name %q", m.Metadata.Name)
	want(version.MatchString(s.Version), "the version %q", s.Version)
	want(s.ShortDescription != "" && len(s.ShortDescription) <= 70 && !strings.ContainsAny(s.ShortDescription, "\r\n"), "the short description %q", s.ShortDescription)
	want(strings.HasPrefix(s.Homepage, "https://"), "the home page %q", s.Homepage)
	for line := range strings.Lines(s.Description + "\n" + s.Caveats) {
		want(len(strings.TrimSpace(line)) <= 80, "a line of more than 80 characters: %q", line)
	}
	want(len(s.Platforms) > 0, "no platforms")
	seen := map[string]bool{}
	for _, p := range s.Platforms {
		labels := p.Selector.MatchLabels
		name := labels["os"] + "/" + labels["arch"]
		want(len(labels) == 2 && labels["os"] != "" && labels["arch"] != "" && !seen[name], "the selector %v", labels)
		want(strings.HasPrefix(p.URI, "https://"), "%s: the address %q", name, p.URI)
		want(sum.MatchString(p.SHA256), "%s: the sum %q", name, p.SHA256)
		want(p.Bin != "" && (labels["os"] != "windows" || strings.HasSuffix(p.Bin, ".exe")), "%s: the program %q", name, p.Bin)
		seen[name] = true
	}
	return errors.Join(errs...)
}

// checkArchives compares each archive with what the manifest says of it.
func (m *manifest) checkArchives(dist string) error {
	var errs []error
	for _, p := range m.Spec.Platforms {
		file := filepath.Join(dist, path.Base(p.URI))
		data, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != p.SHA256 {
			errs = append(errs, fmt.Errorf("%s has another sum than the manifest says", file))
		}
		names, err := list(file, data)
		if err == nil && !names[p.Bin] {
			err = fmt.Errorf("%s has no %s", file, p.Bin)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
