package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// Vault makes the vault and bao commands get their token from oidc-cred.
type Vault struct {
	Common
	// Address of the server, for what is said.
	Address string
	// Others are the hosts that it was set up for as well: while there is one,
	// Remove leaves vault's configuration.
	Others []string
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
	if t.Remove && len(t.Others) > 0 {
		return t.say("vault goes on asking oidc-cred, for %s", strings.Join(t.Others, ", "))
	}
	if t.Remove {
		return t.remove(file)
	}
	if err := checkSecure(t.Address); err != nil {
		return err
	}
	if !t.Print {
		return t.add(file)
	}
	path := t.wouldLink(vaultLink)
	if err := tryEdit(file, func(old []byte) ([]byte, error) { return withVaultHelper(old, file, path) }); err != nil {
		return err
	}
	return t.say("# in %s\n%s\n# and a link %s to this program", file, vaultLine(path), path)
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
	_, changed, edited, err := t.linkFor(vaultLink, func(path string, dry bool) (bool, error) {
		edit := func(old []byte) ([]byte, error) { return withVaultHelper(old, file, path) }
		if dry {
			return false, tryEdit(file, edit)
		}
		return t.editFile(file, 0o600, edit)
	})
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
		if path, ok := vaultJSON(old); ok && isOurs([]string{path}, "vault", t.Executable) {
			return nil, usage("take "+vaultKey+" out of it", "%s is in JSON, which is left alone", file)
		}
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
		if err := tryEdit(file, edit); err != nil {
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

// vaultJSON is the token helper of a file that is in JSON, which HCL may be.
func vaultJSON(data []byte) (path string, ok bool) {
	if !isJSON(data) {
		return "", false
	}
	raw, found, err := jsonGet(data, vaultKey)
	return path, err == nil && found && json.Unmarshal(raw, &path) == nil
}

// checkVaultFile says whether the file can be read, and whether each token
// helper in it has a line of its own.
func checkVaultFile(data []byte) error {
	if _, err := hclBlocks(data); err != nil {
		return err
	}
	tokens, err := hclTokens(data)
	if err != nil {
		return err
	}
	keys, depth := 0, 0
	for i, t := range tokens {
		switch {
		case t.kind == '{' || t.kind == '[':
			depth++
		case t.kind == '}' || t.kind == ']':
			depth--
		case depth == 0 && t.text == vaultKey && i+1 < len(tokens) && tokens[i+1].kind == '=':
			keys++
		}
	}
	for line := range strings.Lines(string(data)) {
		if _, ok := readVaultLine(line); ok {
			keys--
		}
	}
	if keys != 0 {
		return fmt.Errorf("its %s has no line of its own", vaultKey)
	}
	return nil
}

// withVaultHelper sets the helper. Vault takes one, so another one is not
// replaced.
func withVaultHelper(old []byte, file, path string) ([]byte, error) {
	if isJSON(old) {
		if there, ok := vaultJSON(old); ok && there == path {
			return old, nil
		}
		return nil, usage(fmt.Sprintf("have this in it: %q: %q", vaultKey, path), "%s is in JSON, which is left alone", file)
	}
	if err := checkVaultFile(old); err != nil {
		return nil, unreadable(file, err)
	}
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
	note := func(path string, ok bool) {
		if ok && isOurs([]string{path}, "vault", c.Executable) {
			server, _ := helper.ParseServer(c.getenv("VAULT_ADDR"))
			entries = append(entries, Entry{Where: file, Host: server.Host, Program: path})
		}
	}
	note(vaultJSON(data))
	for line := range strings.Lines(string(data)) {
		note(readVaultLine(line))
	}
	return entries, nil
}
