package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

// fromCurrent fills in what the kubeconfig's current context says, and gives
// the profile: the one that --profile names, else one with the issuer and the
// client that the context's user has now, else a new one with these.
func (a *app) fromCurrent(k *setup.Kubectl) (*profile, error) {
	if k.Remove || k.Cluster != "" {
		return nil, usageError{message: "--from-current takes the cluster from the current context, and is no help with --cluster or --remove"}
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	current, err := k.Current()
	if err != nil {
		return nil, setupError(err)
	}
	k.Cluster = current.Cluster
	if k.Namespace == "" {
		k.Namespace = current.Namespace
	}
	switch {
	case current.Ours:
		if a.profileFlag == "" {
			a.profileFlag = current.Profile
		}
		if k.User == "" {
			k.User = current.User
		}
		return a.current()
	case current.OIDC == nil:
		return a.current()
	}
	if current.OIDC.Access && k.Type == "" {
		k.Type = "access"
	}
	if p, err := a.sameClient(current.OIDC); p != nil || err != nil {
		return p, err
	}
	return a.newFromCurrent(k, current)
}

// sameClient is the profile to use if there is one: what --profile names, or
// what has the same issuer and client.
func (a *app) sameClient(o *setup.KubeOIDC) (*profile, error) {
	for _, name := range a.config.names {
		if a.profileFlag != "" && name != a.profileFlag {
			continue
		}
		p, err := a.named(name, nil)
		if err != nil {
			return nil, err
		}
		same := strings.TrimSuffix(p.text("issuer"), "/") == strings.TrimSuffix(o.Issuer, "/") && p.text("client_id") == o.ClientID
		switch {
		case same:
			return p, nil
		case a.profileFlag != "":
			return nil, usageError{
				message: fmt.Sprintf("profile %s is another client than the current context's user, which has issuer %q and client %q", name, o.Issuer, o.ClientID),
				hint:    "give a new name with --profile, or leave out --from-current and give --cluster",
			}
		}
	}
	return nil, nil
}

// newFromCurrent saves a profile with the issuer and the client of the current
// context's user, or says with --print what it would save.
func (a *app) newFromCurrent(k *setup.Kubectl, current setup.KubeCurrent) (*profile, error) {
	o := current.OIDC
	name := a.profileFlag
	if name == "" {
		name = a.freeName(current.Cluster)
	}
	if err := checkProfileName(name); err != nil {
		return nil, usageError{message: err.Error()}
	}
	values := map[string]any{"issuer": o.Issuer, "client_id": o.ClientID}
	if o.CAFile != "" {
		values["ca_file"] = o.CAFile
	}
	if o.Redirect != "" {
		values["redirect"] = o.Redirect
	}
	if o.Grant != "" {
		values["grant"] = o.Grant
	}
	if len(o.Scopes) > 0 && o.Grant != grantCredentials {
		// Without the last one every expiry of the ID token wants a sign-in.
		scopes := []string{"openid"}
		for _, s := range append(slices.Clone(o.Scopes), "offline_access") {
			scopes = with(scopes, s)
		}
		values["scopes"] = scopes
	}
	comment, verb := "", "has"
	if k.Print {
		comment, verb = "# ", "would have"
	} else if err := saveProfile(a.paths.config, name, values); err != nil {
		return nil, failure{err: fmt.Errorf("save profile %s: %w", name, err), hint: "sign in by hand: 'oidc-cred login --issuer … --client-id …'"}
	}
	lines := []string{fmt.Sprintf("profile %s %s issuer %q and client %q of user %q, who signs in with %s (%s)", name, verb, o.Issuer, o.ClientID, current.User, o.By, a.paths.config)}
	if o.Secret {
		lines = append(lines, fmt.Sprintf("note: this client has a secret, which is not copied: oidc-cred login --profile %s --client-secret-keychain asks for it", name))
	}
	if o.CAData {
		lines = append(lines, fmt.Sprintf("note: the provider's certificate authority stands in the entry itself: write it to a file and name that as ca_file of profile %s", name))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.out, comment+line); err != nil {
			return nil, err
		}
	}
	if k.Print {
		return &profile{name: name}, nil
	}
	a.config, a.profileFlag = nil, name
	if err := a.load(); err != nil {
		return nil, err
	}
	return a.current()
}

// freeName makes a profile's name of a cluster's.
func (a *app) freeName(cluster string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, cluster), "-._")
	if name = name[:min(len(name), 40)]; name == "" {
		name = "kubernetes"
	}
	for i, free := 2, name; ; i++ {
		if a.config.profiles[free] == nil {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, i)
	}
}
