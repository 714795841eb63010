package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/internal/setup"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// toolOutput is a tool in 'setup --list -o json'.
type toolOutput struct {
	Tool       string        `json:"tool"`
	Installed  bool          `json:"installed"`
	Path       string        `json:"path"`
	Version    string        `json:"version"`
	Setup      string        `json:"setup"`
	Configured []entryOutput `json:"configured"`
	// Problem is why the tool's configuration can't be read.
	Problem string `json:"problem,omitempty"`
}

type entryOutput struct {
	Where   string `json:"where"`
	Host    string `json:"host"`
	Profile string `json:"profile"`
	Working bool   `json:"working"`
	Due     bool   `json:"due"`
	Problem string `json:"problem,omitempty"`
}

// listTools shows each tool: installed, configured, working.
func (a *app) listTools(c *cobra.Command, output string) error {
	if err := textOrJSON(output); err != nil {
		return err
	}
	if err := a.load(); err != nil {
		return err
	}
	var common setup.Common
	if err := a.machine(&common); err != nil {
		return err
	}
	tools := setup.Tools()
	found := make([]setup.Found, len(tools))
	var wait sync.WaitGroup
	for i, t := range tools {
		wait.Go(func() { found[i] = t.Find(c.Context(), common) })
	}
	wait.Wait()
	list := make([]toolOutput, len(tools))
	for i, t := range tools {
		list[i] = toolOutput{
			Tool: t.Name, Installed: found[i].Path != "", Path: found[i].Path, Version: found[i].Version,
			Setup: "oidc-cred setup " + t.Usage, Configured: []entryOutput{},
		}
		if t.Entries == nil {
			continue
		}
		entries, err := t.Entries(common)
		if err != nil {
			list[i].Problem = oneLine(err.Error())
		}
		for _, e := range entries {
			list[i].Configured = append(list[i].Configured, a.checkEntry(c.Context(), common, t, e))
		}
	}
	if output == "json" {
		data, err := json.Marshal(map[string]any{"tools": list})
		if err != nil {
			return err
		}
		_, err = a.out.Write(append(data, '\n'))
		return err
	}
	return a.printTools(list)
}

// checkEntry finds out whether the tool can call the helper, and what that would
// answer without the network.
func (a *app) checkEntry(ctx context.Context, common setup.Common, t setup.Tool, e setup.Entry) entryOutput {
	out := entryOutput{Where: e.Where, Host: e.Host, Profile: e.Profile}
	p, err := a.entryProfile(e)
	if err != nil {
		out.Problem = withHint(err)
		return out
	}
	out.Profile = p.name
	if err := common.Callable(e); err != nil {
		out.Problem = withHint(err)
		return out
	}
	m, err := a.manager(p)
	if err != nil {
		out.Problem = withHint(err)
		return out
	}
	kind := session.Access
	if t.IDToken {
		kind = session.ID
	}
	token, err := m.Cached(ctx, kind)
	switch {
	case errors.Is(err, session.ErrDue):
		out.Working, out.Due = true, true
	case err != nil:
		out.Problem = withHint(err)
	case token.Bound:
		out.Problem = withHint(helper.BoundError(p.name))
	default:
		out.Working = true
	}
	return out
}

// entryProfile is the profile that serves the entry, as the helper finds it.
func (a *app) entryProfile(e setup.Entry) (*profile, error) {
	before := a.profileFlag
	defer func() { a.profileFlag = before }()
	a.profileFlag = e.Profile
	if e.Host == "" {
		return a.current()
	}
	host := e.Host
	if e.AnyPort {
		host = a.withPort(host)
	}
	// For a wildcard any name below it.
	server, ok := helper.ParseServer(strings.Replace(host, "*.", "any.", 1))
	if !ok {
		return nil, usageError{message: quote(e.Host) + " is no host"}
	}
	p, err := a.mappedTo(server)
	if p == nil && err == nil {
		err = usageError{message: "no profile has this host", hint: "add it to the profile's hosts, or run the setup again"}
		if e.Profile != "" {
			err = usageError{message: "profile " + e.Profile + " does not have this host", hint: "add it to profiles." + e.Profile + ".hosts, or run the setup again"}
		}
	}
	return p, err
}

// withPort is the host as a profile has it, for a tool that knows no ports.
func (a *app) withPort(host string) string {
	for _, name := range a.config.names {
		hosts, _ := a.config.profiles[name]["hosts"].([]string)
		for _, h := range hosts {
			if bare, _, found := strings.Cut(h, ":"); h == host || found && bare == host {
				return h
			}
		}
	}
	return host
}

func withHint(err error) string {
	text := oneLine(oidcflow.Clean(err.Error()))
	if hint := hintOf(err); hint != "" {
		text += " (" + oneLine(hint) + ")"
	}
	return text
}

func (a *app) printTools(list []toolOutput) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOOL\tINSTALLED\tCONFIGURED\tWORKING")
	for _, t := range list {
		installed := "no"
		if t.Installed {
			installed = firstOf(t.Version, "yes")
		}
		switch {
		case t.Problem != "":
			fmt.Fprintf(w, "%s\t%s\t?\t%s\n", t.Tool, installed, t.Problem)
		case len(t.Configured) == 0:
			fmt.Fprintf(w, "%s\t%s\tno\n", t.Tool, installed)
		}
		for i, e := range t.Configured {
			name := t.Tool
			if i > 0 {
				name, installed = "", ""
			}
			working := "yes"
			switch {
			case e.Due:
				working = "yes, once the token is renewed at the next call"
			case !e.Working:
				working = "no: " + e.Problem
			}
			what := strings.TrimSpace(e.Host + " " + profileWords(e.Profile))
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, installed, what, working)
		}
	}
	fmt.Fprintln(w, "\nConfigure one with 'oidc-cred setup TOOL'; 'oidc-cred setup TOOL --help' shows how.")
	return w.Flush()
}

func profileWords(name string) string {
	if name == "" {
		return ""
	}
	return "(" + name + ")"
}
