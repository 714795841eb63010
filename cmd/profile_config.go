package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// profile is one profile's configuration, with every layer merged: flag,
// environment, profile, default.
type profile struct {
	name     string
	saved    bool // it stands in the file
	settings *viper.Viper
	// authParams keep their case, which viper would lower.
	authParams map[string]string
}

// resolve merges the layers for one profile. flags may be nil; those named
// like a setting (with '-' for '_' and '.') override it.
func (c *configFile) resolve(name string, flags *pflag.FlagSet, getenv func(string) string) (*profile, error) {
	written, saved := c.profiles[name]
	p := &profile{name: name, saved: saved, settings: viper.New()}
	p.authParams, _ = written["auth_params"].(map[string]string)
	for _, s := range settings() {
		if s.shape == table {
			continue
		}
		if s.shape == list {
			p.settings.SetDefault(s.key, strings.Fields(s.def))
		} else {
			p.settings.SetDefault(s.key, s.def)
		}
		if v, ok := written[s.key]; ok {
			p.settings.Set(s.key, v)
		}
		if s.env != "" {
			if v := getenv(s.env); v != "" {
				if err := p.set(s, v, "$"+s.env); err != nil {
					return nil, err
				}
			}
		}
		if flags == nil {
			continue
		}
		flag := flagOf(s)
		if f := flags.Lookup(flag); f != nil && f.Changed {
			value := f.Value.String()
			if many, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(many.GetSlice(), " ")
			}
			if err := p.set(s, value, "--"+flag); err != nil {
				return nil, err
			}
		}
	}
	if p.text("client_secret_env") != "" && p.text("client_secret_command") != "" {
		return nil, usageError{message: "profile " + name + " has both client_secret_env and client_secret_command", hint: "keep one of them"}
	}
	return p, nil
}

// flagOf is the name of the flag that overrides a setting: offline.enabled is
// --offline-enabled, and a list's flag is named after one of its items.
func flagOf(s setting) string {
	flag := strings.NewReplacer("_", "-", ".", "-").Replace(s.key)
	if s.shape == list {
		flag = strings.TrimSuffix(flag, "s")
	}
	return flag
}

// set takes over a value from outside the file, where a list is separated by
// spaces or commas.
func (p *profile) set(s setting, value, source string) error {
	items := []string{value}
	if s.shape == list {
		items = strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, item := range items {
		if s.check == nil {
			continue
		}
		if err := s.check(item); err != nil {
			return usageError{message: fmt.Sprintf("%s: %s, not %q", source, err, item)}
		}
	}
	if s.key == "ca_file" && value != "" {
		// As it is meant here and now: git calls from other folders.
		if absolute, err := filepath.Abs(value); err == nil {
			value = absolute
		}
	}
	if s.shape == list {
		p.settings.Set(s.key, items)
	} else {
		p.settings.Set(s.key, value)
	}
	return nil
}

func (p *profile) text(key string) string   { return p.settings.GetString(key) }
func (p *profile) list(key string) []string { return p.settings.GetStringSlice(key) }

// duration reads a setting that has been checked.
func (p *profile) duration(key string) time.Duration {
	d, _ := parseDuration(p.text(key))
	return d
}

// exchangeLimit is what an exchange with the provider may take: the timeout
// less a little, so that the whole call, with its start and with what it
// writes and prints, ends within the timeout.
func (p *profile) exchangeLimit() time.Duration {
	return p.duration("timeout") * 97 / 100
}

// policy is the profile's offline policy.
func (p *profile) policy() *offline.Policy {
	jitter, _ := parsePercent(p.text("offline.retry.jitter"))
	factor, _ := strconv.ParseFloat(p.text("offline.retry.factor"), 64)
	enabled, _ := strconv.ParseBool(p.text("offline.enabled"))
	threshold, _ := strconv.Atoi(p.text("offline.repeat_failure_threshold"))
	policy := offline.Policy{
		Enabled:     enabled,
		MaxDuration: p.duration("offline.max_duration"),
		OnLimit:     offline.OnLimit(p.text("offline.on_limit")),
		WarnAfter:   p.duration("offline.warn_after"),
		Retry: offline.Retry{
			Initial: p.duration("offline.retry.initial"), Factor: factor,
			Max: p.duration("offline.retry.max"), Jitter: jitter,
		},
		RepeatFailureThreshold: threshold,
	}
	if fraction, err := parsePercent(p.text("refresh_before")); err == nil {
		policy.RefreshBeforeFraction = fraction
	} else {
		policy.RefreshBefore = p.duration("refresh_before")
	}
	return &policy
}

// chooseProfile gives the name of the profile in use: the flag's, the
// environment's, the file's default, or the only one. "" if there is none.
func (c *configFile) chooseProfile(flag string, getenv func(string) string) (string, error) {
	for _, from := range []struct{ name, source string }{
		{flag, "--profile"},
		{getenv("OIDC_CRED_PROFILE"), "$OIDC_CRED_PROFILE"},
		{c.defaultProfile, c.path + ": default_profile"},
	} {
		if from.name == "" {
			continue
		}
		if err := checkProfileName(from.name); err != nil {
			return "", usageError{message: fmt.Sprintf("%s: %s, not %q", from.source, err, from.name)}
		}
		return from.name, nil
	}
	if len(c.names) == 1 {
		return c.names[0], nil
	}
	if slices.Contains(c.names, defaultProfileName) {
		return defaultProfileName, nil
	}
	return "", nil
}

const defaultProfileName = "default"

func getenv(name string) string { return os.Getenv(name) }
