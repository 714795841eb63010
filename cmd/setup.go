package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup TOOL",
		Short: "Configure another tool so that it calls oidc-cred",
		Long: `Write another tool's own configuration so that it calls oidc-cred. A second run
changes nothing, --print only shows what would be written, and --remove undoes it.`,
	}
	c.AddCommand(a.setupGitCommand(), a.setupKubectlCommand())
	return c
}

func (a *app) setupGitCommand() *cobra.Command {
	var g setup.Git
	c := &cobra.Command{
		Use:   "git HOST",
		Short: "Let git authenticate to a host with this profile's token",
		Example: `  oidc-cred setup git git.example.com
  oidc-cred setup git git.example.com:8443 --profile work --print`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			g.Host, g.Env, g.Out = args[0], os.Environ(), a.out
			p, err := a.current()
			if err != nil {
				return notYet(err)
			}
			g.Profile, g.Config = p.name, a.configElsewhere()
			if g.Executable, err = executable(); err != nil {
				return err
			}
			if err := g.Run(c.Context()); err != nil {
				return setupError(err)
			}
			if g.Print {
				return a.printHost(p, g.Host)
			}
			return a.mapHost(p, g.Host, g.Remove)
		},
	}
	f := c.Flags()
	f.StringVar(&g.Username, "username", "", "the user name that git sends beside the token")
	f.BoolVar(&g.Print, "print", false, "only show what would be written")
	f.BoolVar(&g.Remove, "remove", false, "undo it")
	return c
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

// mapHost notes in the profile that the host gets its token: a token goes only
// to hosts that somebody has named.
func (a *app) mapHost(p *profile, host string, remove bool) error {
	host = hostPattern(host)
	hosts, _ := a.config.profiles[p.name]["hosts"].([]string)
	has := slices.Contains(hosts, host)
	switch {
	case !p.saved:
		a.say("Profile %s is not saved, so its hosts can't be noted: run 'oidc-cred login --profile %s --issuer … --client-id …' first.", p.name, p.name)
		return nil
	case remove && !has, !remove && has:
		return nil
	case remove:
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return h == host })
	default:
		hosts = append(slices.Clone(hosts), host)
	}
	change := func() error {
		if len(hosts) == 0 {
			return editConfig(a.paths.config, func(root *yaml.Node) error {
				if profiles := lookup(root, "profiles"); profiles != nil {
					if node := lookup(profiles, p.name); node != nil {
						unset(node, "hosts")
					}
				}
				return nil
			})
		}
		return saveProfile(a.paths.config, p.name, map[string]any{"hosts": hosts})
	}
	if err := change(); err != nil {
		return failure{err: fmt.Errorf("note the host in profile %s: %w", p.name, err), hint: "add it to profiles." + p.name + ".hosts in " + a.paths.config}
	}
	if remove {
		_, err := fmt.Fprintf(a.out, "%s no longer gets the token of profile %s (hosts in %s).\n", host, p.name, a.paths.config)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s gets the token of profile %s (hosts in %s).\n", host, p.name, a.paths.config)
	return err
}

func (a *app) setupKubectlCommand() *cobra.Command {
	var k setup.Kubectl
	c := &cobra.Command{
		Use:   "kubectl",
		Short: "Let kubectl authenticate to a cluster with this profile's ID token",
		Example: `  oidc-cred setup kubectl --cluster prod
  oidc-cred setup kubectl --user alice --print`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			k.Getenv, k.Out = a.getenv, a.out
			p, err := a.current()
			if err != nil {
				return notYet(err)
			}
			k.Profile, k.Config = p.name, a.configElsewhere()
			if k.Home, err = os.UserHomeDir(); err != nil {
				return usageError{message: err.Error(), hint: "set HOME, or name the file with --kubeconfig"}
			}
			if k.Executable, err = executable(); err != nil {
				return err
			}
			return setupError(k.Run())
		},
	}
	f := c.Flags()
	f.StringVar(&k.Cluster, "cluster", "", "the cluster of the kubeconfig to make a context for")
	f.StringVar(&k.User, "user", "", "the kubeconfig's name for the user (default oidc-cred-PROFILE)")
	f.StringVar(&k.Context, "context", "", "the name of the context (default USER@CLUSTER)")
	f.StringVar(&k.Namespace, "namespace", "", "the context's namespace")
	f.StringVar(&k.Kubeconfig, "kubeconfig", "", "the file (default $KUBECONFIG's first, or ~/.kube/config)")
	f.BoolVar(&k.Use, "use", false, "make the context the current one")
	f.BoolVar(&k.Force, "force", false, "replace a user of that name that is not ours")
	f.BoolVar(&k.Print, "print", false, "only show what would be written")
	f.BoolVar(&k.Remove, "remove", false, "undo it")
	return c
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
	if abs, err := filepath.Abs(os.Args[0]); err == nil && filepath.Base(os.Args[0]) != os.Args[0] {
		if same(abs, path) {
			return abs, nil
		}
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
