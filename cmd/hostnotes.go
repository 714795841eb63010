package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// hostNotes remembers which hosts `setup` has put into a profile's hosts, and
// for which tools, so that --remove takes out what setup has put in and no
// more: profile, host, tools. A host that is not noted was there before, or
// somebody else's. If the file is lost, --remove leaves hosts where they are.
type hostNotes map[string]map[string][]string

func (a *app) hostNotesFile() string { return filepath.Join(a.paths.state, "setup.json") }

func (a *app) readHostNotes() (hostNotes, error) {
	data, err := os.ReadFile(a.hostNotesFile())
	if errors.Is(err, fs.ErrNotExist) {
		return hostNotes{}, nil
	}
	if err != nil {
		return nil, err
	}
	notes := hostNotes{}
	if err := json.Unmarshal(data, &notes); err != nil {
		return nil, fmt.Errorf("%s: %w", a.hostNotesFile(), err)
	}
	return notes, nil
}

func (a *app) writeHostNotes(notes hostNotes) error {
	data, err := json.MarshalIndent(notes, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.paths.state, 0o700); err != nil {
		return err
	}
	return cache.WriteFileAtomic(a.hostNotesFile(), append(data, '\n'), 0o600)
}

// of are the tools that the host was noted for.
func (n hostNotes) of(profile, host string) []string { return n[profile][host] }

// set changes them; none drops the host.
func (n hostNotes) set(profile, host string, tools []string) {
	if len(tools) == 0 {
		delete(n[profile], host)
		if len(n[profile]) == 0 {
			delete(n, profile)
		}
		return
	}
	if n[profile] == nil {
		n[profile] = map[string][]string{}
	}
	n[profile][host] = tools
}

// with and without are the tools and one more, or one less.
func with(tools []string, tool string) []string {
	if slices.Contains(tools, tool) {
		return tools
	}
	return append(slices.Clone(tools), tool)
}

func without(tools []string, tool string) []string {
	return slices.DeleteFunc(slices.Clone(tools), func(t string) bool { return t == tool })
}
