package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

// setupMakers are the tools; each has a file of its own.
func (a *app) setupMakers() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"git": a.setupGitCommand, "kubectl": a.setupKubectlCommand, "docker": a.setupDockerCommand,
		"cargo": a.setupCargoCommand, "go": a.setupGoCommand, "terraform": a.setupTerraformCommand,
		"aws": a.setupAWSCommand, "gcp": a.setupGCPCommand, "bazel": a.setupBazelCommand,
		"pip": a.setupPipCommand, "pnpm": a.setupPnpmCommand, "vault": a.setupVaultCommand,
	}
}

// setupCommand has the tool that args call, or all of them where that is not
// plain.
func (a *app) setupCommand(args []string) *cobra.Command {
	var list bool
	var output string
	c := &cobra.Command{
		Use:   "setup TOOL",
		Short: "Configure another tool so that it calls oidc-cred",
		Long: `Write another tool's own configuration so that it calls oidc-cred. A second run
changes nothing, --print only shows what would be written, and --remove undoes it.
--list shows each tool: whether it is installed, configured and working.`,
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if list {
				return a.listTools(c, output)
			}
			return c.Help()
		},
	}
	c.Flags().BoolVar(&list, "list", false, "show each tool: installed, configured, working")
	c.Flags().StringVarP(&output, "output", "o", "text", "the format of the list: text or json")
	addCalled(c, args, a.setupMakers())
	return c
}

// tool is a setup's command.
type tool struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	// links: the tool is given a link to this program, so there is --bin-dir.
	links bool
	// host is the server in the arguments that gets the token, to be noted in
	// the profile; nil or "" notes none.
	host func(args []string) string
	run  func(ctx context.Context, common setup.Common, args []string) error
}

// setupTool makes a setup's command with the flags that all have.
func (a *app) setupTool(t tool) *cobra.Command {
	var common setup.Common
	c := &cobra.Command{
		Use: t.use, Short: t.short, Long: t.long, Example: t.example, Args: t.args,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.commonSetup(&common)
			if err != nil {
				return err
			}
			if err := t.run(c.Context(), common, args); err != nil {
				return setupError(err)
			}
			host := ""
			if t.host != nil {
				host = t.host(args)
			}
			switch {
			case host == "":
				return nil
			case common.Print:
				return a.printHost(p, host)
			default:
				return a.mapHost(p, firstWord(t.use), host, common.Remove)
			}
		},
	}
	f := c.Flags()
	f.BoolVar(&common.Print, "print", false, "only show what would be written")
	f.BoolVar(&common.Remove, "remove", false, "undo it")
	if t.links {
		f.StringVar(&common.BinDir, "bin-dir", "", "the folder for the link to this program (default: beside it, or ~/.local/bin)")
	}
	return c
}

// commonSetup fills in what every tool's setup is told.
func (a *app) commonSetup(common *setup.Common) (*profile, error) {
	p, err := a.current()
	if err != nil {
		return nil, notYet(err)
	}
	common.Profile, common.Config = p.name, a.configElsewhere()
	if err := a.machine(common); err != nil {
		return nil, err
	}
	if common.BinDir != "" {
		if common.BinDir, err = filepath.Abs(common.BinDir); err != nil {
			return nil, usageError{message: "--bin-dir: " + err.Error()}
		}
	}
	return p, nil
}

// machine fills in what does not depend on a profile.
func (a *app) machine(common *setup.Common) (err error) {
	common.Getenv, common.Out = a.getenv, a.out
	common.Created = a.createdNotes()
	if common.Home, err = os.UserHomeDir(); err != nil {
		common.Home = "" // a tool that needs it says so
	}
	common.Executable, err = executable()
	return err
}

// createdNotes are about the tools' files that setup has made.
func (a *app) createdNotes() string { return filepath.Join(a.paths.state, "setup-files.json") }

// firstWord of a command's use is its name.
func firstWord(use string) string {
	word, _, _ := strings.Cut(use, " ")
	return word
}

// printHost shows what mapHost would do.
func (a *app) printHost(p *profile, host string) error {
	_, err := fmt.Fprintf(a.out, "# and in %s, so that the host gets this profile's token:\n# profiles: {%s: {hosts: [%q]}}\n", a.paths.config, p.name, hostPattern(host))
	return err
}

// hostPattern is the host as it stands in a profile's hosts.
func hostPattern(host string) string {
	host = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(host), "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	return host
}

// configElsewhere is the configuration file, where it is not the usual one: the
// tool that calls us knows neither our flags nor our environment.
func (a *app) configElsewhere() string {
	if a.configFlag == "" && a.getenv("OIDC_CRED_CONFIG") == "" {
		return ""
	}
	path, err := filepath.Abs(a.paths.config)
	if err != nil {
		return a.paths.config
	}
	return path
}

// mapHost notes in the profile that the host gets its token, for one more tool:
// a token goes only to hosts that somebody has named. With remove it takes out
// the host that it has put in, once no tool that was set up needs it.
func (a *app) mapHost(p *profile, tool, host string, remove bool) error {
	host = hostPattern(host)
	hosts, _ := a.config.profiles[p.name]["hosts"].([]string)
	has := slices.Contains(hosts, host)
	if !p.saved {
		a.say("Profile %s is not saved, so its hosts can't be noted: run 'oidc-cred login --profile %s --issuer … --client-id …' first.", p.name, p.name)
		return nil
	}
	notes, err := a.readHostNotes()
	if err != nil {
		return failure{err: fmt.Errorf("read what setup has done before: %w", err), hint: "remove the file; --remove then leaves the hosts of the profiles as they are"}
	}
	tools := notes.of(p.name, host)
	said := ""
	switch {
	case remove && !has:
		notes.set(p.name, host, nil)
	case remove && len(tools) == 0:
		_, err := fmt.Fprintf(a.out, "%s still gets the token of profile %s: setup has not put it into hosts in %s.\n", host, p.name, a.paths.config)
		return err
	case remove:
		if tools = without(tools, tool); len(tools) > 0 {
			said = fmt.Sprintf("%s still gets the token of profile %s, for %s.\n", host, p.name, strings.Join(tools, ", "))
		} else {
			said = fmt.Sprintf("%s no longer gets the token of profile %s (hosts in %s).\n", host, p.name, a.paths.config)
			hosts = without(hosts, host)
			err = a.saveHost(p.name, host, false)
		}
		notes.set(p.name, host, tools)
	case !has:
		said = fmt.Sprintf("%s gets the token of profile %s (hosts in %s).\n", host, p.name, a.paths.config)
		hosts = append(slices.Clone(hosts), host)
		err = a.saveHost(p.name, host, true)
		notes.set(p.name, host, []string{tool})
	case len(tools) > 0: // put in for another tool
		notes.set(p.name, host, with(tools, tool))
	default: // somebody else's
		return nil
	}
	if err == nil {
		a.config.profiles[p.name]["hosts"] = hosts // for the next host of this call
		err = a.writeHostNotes(notes)
	}
	if err != nil {
		return failure{err: fmt.Errorf("note the host in profile %s: %w", p.name, err), hint: "add it to profiles." + p.name + ".hosts in " + a.paths.config}
	}
	_, err = fmt.Fprint(a.out, said)
	return err
}

// saveHost notes one of a profile's hosts in the configuration, or drops it.
func (a *app) saveHost(profile, host string, add bool) error {
	return rewriteConfig(a.paths.config, func(data []byte) ([]byte, error) { return editHost(data, profile, host, add) })
}

// notYet: without a profile there is nothing to configure a tool with.
func notYet(err error) error {
	var usage usageError
	if errors.As(err, &usage) {
		return err
	}
	return usageError{message: err.Error(), hint: hintOf(err)}
}

// executable is this program's path as it was installed: a link that a package
// manager keeps pointing at the current version stays a link.
func executable() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's path: %w", err)
	}
	called := os.Args[0]
	if filepath.Base(called) == called {
		// By its name alone: then the shell has found it in PATH.
		if called, err = exec.LookPath(called); err != nil {
			return path, nil //nolint:nilerr // by another way, then
		}
	}
	if abs, err := filepath.Abs(called); err == nil && same(abs, path) {
		return abs, nil
	}
	return path, nil
}

func same(a, b string) bool {
	x, err := os.Stat(a) //nolint:gosec // the name that this program was called by
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// setupError gives a mistake in the flags the exit code of one.
func setupError(err error) error {
	var e *setup.Error
	if errors.As(err, &e) && e.Usage {
		return usageError{message: e.Error(), hint: e.Advice}
	}
	return err
}
