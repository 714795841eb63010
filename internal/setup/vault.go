package setup

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// Vault makes the vault and bao commands get their token from oidc-cred.
type Vault struct {
	Common
	// Address of the server, for what is said.
	Address string
}

const (
	vaultLink = "oidc-cred-vault"
	vaultKey  = "token_helper"
)

// Run does it. Vault can be told a program and no arguments, so it is a link;
// the profile goes by the address, and the role is a setting of the profile.
func (t Vault) Run(_ context.Context) error {
	file, err := t.vaultConfig()
	if err != nil {
		return err
	}
	switch {
	case t.Remove:
		return t.remove(file)
	case t.Print:
		path := t.wouldLink(vaultLink)
		return t.say("# in %s\n%s\n# and a link %s to this program", file, vaultLine(path), path)
	default:
		return t.add(file)
	}
}

// vaultConfig is the file that the commands read.
func (c Common) vaultConfig() (string, error) {
	if file := c.getenv("VAULT_CONFIG_PATH"); file != "" {
		return filepath.Abs(file)
	}
	return c.home(".vault")
}

func (t Vault) add(file string) error {
	if err := checkProgram(t.Executable); err != nil {
		return err
	}
	path, changed, err := t.link(vaultLink, false)
	if err != nil {
		return err
	}
	edited, err := t.editFile(file, 0o600, func(old []byte) ([]byte, error) { return withVaultHelper(old, file, path) })
	switch {
	case err != nil:
		return err
	case edited:
		err = t.say("vault gets its tokens from oidc-cred (%s)", file)
	case !changed:
		err = t.say("vault gets its tokens from oidc-cred already (%s); nothing to change", file)
	}
	if err != nil {
		return err
	}
	if t.Config != "" {
		if err := t.say("note: vault can't tell where the configuration is: have OIDC_CRED_CONFIG=%s in its environment", t.Config); err != nil {
			return err
		}
	}
	if t.getenv("VAULT_TOKEN") != "" {
		if err := t.say("note: VAULT_TOKEN is set, and vault takes it instead"); err != nil {
			return err
		}
	}
	return t.say("try it with: VAULT_ADDR=%s vault token lookup", t.Address)
}

func (t Vault) remove(file string) error {
	found := false
	edit := func(old []byte) ([]byte, error) {
		var out strings.Builder
		for line := range strings.Lines(string(old)) {
			if path, ok := readVaultLine(line); ok && isOurs([]string{path}, "vault", t.Executable) {
				found = true
				continue
			}
			out.WriteString(line)
		}
		return []byte(out.String()), nil
	}
	if t.Print {
		old, err := readFile(file)
		if err != nil {
			return err
		}
		if _, err := edit(old); err != nil {
			return err
		}
	} else if _, err := t.editFile(file, 0o600, edit); err != nil {
		return err
	}
	what := "removed the token helper from %s"
	switch {
	case !found:
		what = "%s has no token helper of ours; nothing to remove"
	case t.Print:
		what = "would remove the token helper from %s"
	}
	if err := t.say(what, file); err != nil {
		return err
	}
	_, err := t.unlink(vaultLink)
	return err
}

// vaultLine is the line of the file, which is HCL.
func vaultLine(path string) string {
	return vaultKey + ` = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// readVaultLine reads a line that names a token helper.
func readVaultLine(line string) (path string, ok bool) {
	key, value, found := strings.Cut(strings.TrimSpace(line), "=")
	if !found || strings.Trim(strings.TrimSpace(key), `"`) != vaultKey {
		return "", false
	}
	value = strings.TrimSpace(value)
	if !strings.HasPrefix(value, `"`) {
		return "", false
	}
	var text strings.Builder
	escaped := false
	for _, r := range value[1:] {
		switch {
		case escaped:
			text.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			return text.String(), true
		default:
			text.WriteRune(r)
		}
	}
	return "", false
}

// withVaultHelper sets the helper. Vault takes one, so another one is not
// replaced.
func withVaultHelper(old []byte, file, path string) ([]byte, error) {
	eol := "\n"
	if strings.Contains(string(old), "\r\n") {
		eol = "\r\n"
	}
	var out strings.Builder
	done := false
	for line := range strings.Lines(string(old)) {
		program, ok := readVaultLine(line)
		switch {
		case !ok:
			out.WriteString(line)
		case program == "": // the default helper
		case !isOurs([]string{program}, "vault", path):
			return nil, usage("take it out first", "%s has another token helper, %s, and vault takes only one", file, program)
		case !done && program == path:
			out.WriteString(line)
			done = true
		case !done:
			out.WriteString(vaultLine(path) + eol)
			done = true
		}
	}
	if !done {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteString(eol)
		}
		out.WriteString(vaultLine(path) + eol)
	}
	return []byte(out.String()), nil
}

// vaultEntries are what setup has put into the tool's configuration.
func vaultEntries(c Common) ([]Entry, error) {
	file, err := c.vaultConfig()
	if err != nil {
		return nil, err
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for line := range strings.Lines(string(data)) {
		if path, ok := readVaultLine(line); ok && isOurs([]string{path}, "vault", c.Executable) {
			server, _ := helper.ParseServer(c.getenv("VAULT_ADDR"))
			entries = append(entries, Entry{Where: file, Host: server.Host})
		}
	}
	return entries, nil
}
