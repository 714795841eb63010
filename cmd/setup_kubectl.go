package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupKubectlCommand() *cobra.Command {
	var k setup.Kubectl
	var fromCurrent bool
	c := &cobra.Command{
		Use:   "kubectl",
		Short: "Let kubectl authenticate to a cluster with this profile's ID token",
		Long: `Let kubectl authenticate to a cluster with this profile's ID token: a user in the
kubeconfig, and with --cluster or --from-current a context that joins the two.

--from-current takes the cluster of the current context. If its user signs in
with kubelogin ('kubectl oidc-login') or kubectl's former auth-provider "oidc",
the issuer and the client are taken from there: the profile that has them is
used, or a new one is saved with them. The entries themselves are left alone.`,
		Example: `  oidc-cred setup kubectl --cluster prod
  oidc-cred setup kubectl --from-current --use
  oidc-cred setup kubectl --user alice --print`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			k.Getenv, k.Out = a.getenv, a.out
			if k.Home, err = os.UserHomeDir(); err != nil {
				return usageError{message: err.Error(), hint: "set HOME, or name the file with --kubeconfig"}
			}
			if k.Executable, err = executable(); err != nil {
				return err
			}
			var p *profile
			if fromCurrent {
				p, err = a.fromCurrent(&k)
			} else {
				p, err = a.current()
			}
			if err != nil {
				return notYet(err)
			}
			k.Profile, k.Config, k.Created = p.name, a.configElsewhere(), a.createdNotes()
			if err := k.Run(); err != nil || k.Print || k.Remove {
				return setupError(err)
			}
			return a.sayTryKubectl(p)
		},
	}
	f := c.Flags()
	f.StringVar(&k.Cluster, "cluster", "", "the cluster of the kubeconfig to make a context for")
	f.BoolVar(&fromCurrent, "from-current", false, "take the cluster, and if need be the issuer and the client, from the current context")
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

// sayTryKubectl says what is left to do.
func (a *app) sayTryKubectl(p *profile) error {
	m, err := a.manager(p)
	if err != nil {
		return err
	}
	if status, err := m.Status(); err == nil && status.Token == nil {
		_, err = fmt.Fprintf(a.out, "Sign in with: oidc-cred login --profile %s\n", p.name)
		return err
	}
	_, err = fmt.Fprintln(a.out, "Try it with: kubectl auth whoami")
	return err
}
