package cmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profile",
		Short: "Show and remove saved profiles",
	}
	c.AddCommand(a.profileListCommand(), a.profileShowCommand(), a.profileRemoveCommand())
	return c
}

func (a *app) profileListCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the saved profiles",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			if err := a.load(); err != nil {
				return err
			}
			return a.listProfiles(output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "output format: text or json")
	return c
}

func (a *app) listProfiles(output string) error {
	inUse, err := a.inUse()
	if err != nil {
		return err
	}
	type entry struct {
		Profile  string `json:"profile"`
		Issuer   string `json:"issuer"`
		ClientID string `json:"client_id"`
		// Default is from the time when nothing but the file made the choice.
		Default  bool   `json:"default"`
		InUse    bool   `json:"in_use"`
		ChosenBy string `json:"chosen_by,omitempty"`
		File     string `json:"chosen_in,omitempty"`
	}
	entries := []entry{}
	for _, name := range a.config.names {
		issuer, _ := a.config.profiles[name]["issuer"].(string)
		client, _ := a.config.profiles[name]["client_id"].(string)
		e := entry{Profile: name, Issuer: issuer, ClientID: client}
		if name == inUse.name {
			e.Default, e.InUse, e.ChosenBy, e.File = true, true, inUse.by, inUse.path
		}
		entries = append(entries, e)
	}
	if output == "json" {
		return json.NewEncoder(a.out).Encode(map[string]any{"profiles": entries})
	}
	if len(entries) == 0 {
		a.say("There is no profile yet. 'oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID' makes one.")
	}
	for _, e := range entries {
		mark, why := " ", ""
		if e.InUse {
			mark, why = "*", "  ("+oneLine(inUse.source())+")"
		}
		fmt.Fprintf(a.out, "%s %s  %s  %s%s\n", mark, e.Profile, e.Issuer, e.ClientID, why)
	}
	return nil
}

func (a *app) profileShowCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show a profile with every setting that is in force",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			if len(args) > 0 {
				a.profileFlag = args[0]
			}
			p, err := a.current()
			if err != nil {
				return err
			}
			return a.showProfile(p, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "output format: text or json")
	return c
}

func (a *app) showProfile(p *profile, output string) error {
	if output == "json" {
		all := map[string]any{"profile": p.name, "config": a.paths.config}
		for _, s := range settings() {
			switch s.shape {
			case list:
				all[s.key] = nonNil(p.list(s.key))
			case table:
				all[s.key] = p.authParams
			default:
				all[s.key] = p.text(s.key)
			}
		}
		return json.NewEncoder(a.out).Encode(all)
	}
	fmt.Fprintf(a.out, "profile %s%s\n", p.name, a.whereFrom(p))
	for _, s := range settings() {
		value := p.text(s.key)
		switch s.shape {
		case list:
			value = strings.Join(p.list(s.key), " ")
		case table:
			var pairs []string
			for name, v := range p.authParams {
				pairs = append(pairs, name+"="+v)
			}
			value = strings.Join(pairs, " ")
		}
		if value != "" {
			fmt.Fprintf(a.out, "  %-34s %s\n", s.key, oneLine(value))
		}
	}
	return nil
}

func (a *app) profileRemoveCommand() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Sign out of a profile and remove it from the configuration",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.load(); err != nil {
				return err
			}
			name := args[0]
			if a.config.profiles[name] == nil {
				return a.unknownProfile(name, "")
			}
			if p, err := a.named(name, nil); err == nil {
				// The session goes first: without its profile nobody could
				// sign it out any more.
				if !keep {
					if err := a.logout(c.Context(), p, logoutOptions{}); err != nil && session.KindOf(err) != session.SignInRequired {
						return err
					}
				}
				if err := a.forgetClientSecret(c.Context(), p); err != nil {
					return err
				}
			}
			if err := removeProfile(a.paths.config, name); err != nil {
				return failure{err: fmt.Errorf("remove profile %s: %w", name, err), hint: "check the owner and the permissions of " + a.paths.config}
			}
			a.say("Profile %s has been removed from %s.", name, a.paths.config)
			return nil
		},
	}
	c.Flags().BoolVar(&keep, "keep-session", false, "don't sign out")
	return c
}
