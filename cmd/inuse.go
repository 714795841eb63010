package cmd

import (
	"fmt"
	"slices"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// choice is the profile in use and what chose it.
type choice struct {
	name string // "": none
	// by is what chose it: --profile, $OIDC_CRED_PROFILE, .oidc-cred,
	// default_profile; "only profile" or "its name" where nothing did.
	by string
	// path is the file that it stands in, if it does.
	path string
}

// source says where the choice comes from.
func (c choice) source() string {
	switch c.by {
	case byFolder:
		return "from " + c.path
	case byDefault:
		return "from " + byDefault
	case byAlone:
		return "the only profile"
	case byName:
		return "no other is chosen"
	default:
		return "from " + c.by
	}
}

const (
	byFlag    = "--profile"
	byEnv     = "$OIDC_CRED_PROFILE"
	byFolder  = folderFile
	byDefault = "default_profile"
	byIssuer  = "$OIDC_CRED_ISSUER"
	byAlone   = "only profile"
	byName    = "its name"
)

// chooseProfile gives the profile in use: the flag's, the environment's, the
// folder's, the file's default, or the only one.
func (a *app) chooseProfile() (choice, error) {
	chosen, err := a.chosenHere()
	if err != nil || chosen.name != "" {
		return chosen, err
	}
	chosen = a.config.fallback()
	if chosen.by == byDefault {
		if err := checkProfileName(chosen.name); err != nil {
			return choice{}, usageError{message: fmt.Sprintf("%s: default_profile: %s, not %q", chosen.path, err, chosen.name)}
		}
	}
	return chosen, nil
}

// inUse is the choice for a command that shows all profiles: one that can't be
// made is no reason not to show them, since that is how a person mends it.
func (a *app) inUse() (choice, error) {
	chosen, err := a.chooseProfile()
	if err == nil || a.profileFlag != "" {
		return chosen, err
	}
	a.warnf("no_profile_in_use", "%v", err)
	return choice{}, nil
}

// chosenHere is what this call, its environment or its folder chose.
func (a *app) chosenHere() (choice, error) {
	for _, from := range []choice{
		{name: a.profileFlag, by: byFlag},
		{name: a.getenv("OIDC_CRED_PROFILE"), by: byEnv},
	} {
		if from.name == "" {
			continue
		}
		if err := checkProfileName(from.name); err != nil {
			return choice{}, usageError{message: fmt.Sprintf("%s: %s, not %q", from.by, err, from.name)}
		}
		return from, nil
	}
	name, path, err := a.folderProfile()
	if err != nil || name == "" {
		return choice{}, err
	}
	// It chooses among the profiles that there are and makes none.
	if a.config.profiles[name] == nil {
		if a.profileInEnv() {
			return choice{}, nil // as in a container: there are none to choose from
		}
		return choice{}, usageError{
			message: fmt.Sprintf("%s: there is no profile %q in %s", path, name, a.paths.config),
			hint:    fmt.Sprintf("run 'oidc-cred login --profile %s --issuer https://id.example.com --client-id CLIENT_ID', or name another one with --profile", name),
		}
	}
	return choice{name: name, by: byFolder, path: path}, nil
}

// fallback is the profile that is used where nothing else is chosen.
func (c *configFile) fallback() choice {
	switch {
	case c.defaultProfile != "":
		return choice{name: c.defaultProfile, by: byDefault, path: c.path}
	case len(c.names) == 1:
		return choice{name: c.names[0], by: byAlone}
	case slices.Contains(c.names, defaultProfileName):
		return choice{name: defaultProfileName, by: byName}
	default:
		return choice{}
	}
}

const defaultProfileName = "default"

// current resolves the profile in use. Without any it says that nobody is
// signed in, and how to start.
func (a *app) current() (*profile, error) {
	if err := a.load(); err != nil {
		return nil, err
	}
	chosen, err := a.chooseProfile()
	if err != nil {
		return nil, err
	}
	fromEnv := a.profileInEnv()
	switch {
	case chosen.name == "" && fromEnv:
		chosen = choice{name: defaultProfileName, by: byIssuer}
	case chosen.name == "" && len(a.config.names) == 0:
		return nil, &session.Error{
			Kind: session.SignInRequired, Message: "nobody is signed in: there is no profile yet" + a.namedFile(),
			Hint: "run 'oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID'",
		}
	case chosen.name == "":
		return nil, a.severalProfiles()
	case a.config.profiles[chosen.name] == nil && !fromEnv:
		return nil, a.unknownProfile(chosen.name, chosen.by)
	}
	a.chosen = chosen
	return a.named(chosen.name, nil)
}

// namedFile is the configuration file, if somebody named one: a name that is
// wrong is otherwise hard to see.
func (a *app) namedFile() string {
	if a.configFlag == "" && a.getenv("OIDC_CRED_CONFIG") == "" {
		return ""
	}
	return " in " + a.paths.config
}

// whereFrom says where the profile stands.
func (a *app) whereFrom(p *profile) string {
	if !p.saved {
		return " from the environment"
	}
	return " in " + a.paths.config
}

func (a *app) severalProfiles() error {
	return usageError{
		message: "there are several profiles and none is chosen",
		hint:    "name one with --profile, $OIDC_CRED_PROFILE, a file " + folderFile + " in this folder, or default_profile in " + a.paths.config,
	}
}

// profileInEnv says whether the environment alone makes a profile.
func (a *app) profileInEnv() bool {
	return a.getenv("OIDC_CRED_ISSUER") != "" && a.getenv("OIDC_CRED_CLIENT_ID") != ""
}

// unknownProfile names what asked for a profile that there is not.
func (a *app) unknownProfile(name, by string) error {
	from := ""
	if by != "" && by != byFlag {
		from = by + ": "
	}
	return usageError{
		message: fmt.Sprintf("%sthere is no profile %q in %s", from, name, a.paths.config),
		hint:    fmt.Sprintf("run 'oidc-cred login --profile %s --issuer https://id.example.com --client-id CLIENT_ID', or see 'oidc-cred profile list'", name),
	}
}
