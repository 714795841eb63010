package setup

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Terraform makes Terraform and OpenTofu ask oidc-cred for the token of a host.
// They take one credentials helper for all hosts, looked for by its name in
// their folder of plugins, so the helper goes by the profiles' hosts.
type Terraform struct {
	Common
	// Host of the registry or the HCP Terraform installation that gets the
	// token, with ":port" if need be.
	Host string
	// Others are the hosts that it was set up for as well: while there is one,
	// Remove leaves Terraform's configuration.
	Others []string
	// Force replaces another credentials helper.
	Force bool
}

// terraformHelper is our label, and what follows "terraform-credentials-" in
// the program's name.
const terraformHelper = "oidc-cred"

// Run does it.
func (t Terraform) Run(_ context.Context) error {
	host, err := t.host()
	if err != nil {
		return err
	}
	files, err := t.configFiles()
	if err != nil {
		return err
	}
	dir, err := t.configDir()
	if err != nil {
		return err
	}
	t.BinDir = filepath.Join(dir, "plugins")
	switch {
	case t.Remove && len(t.Others) > 0:
		return t.say("Terraform goes on asking oidc-cred, for %s", strings.Join(t.Others, ", "))
	case t.Remove:
		return t.remove(files)
	case t.Print:
		for _, file := range files {
			if err := t.say("# in %s\n%s\n# and a link %s to this program", file, t.block("\n"), t.wouldLink("terraform-credentials-"+terraformHelper)); err != nil {
				return err
			}
		}
		return nil
	default:
		return t.add(host, files, dir)
	}
}

// host is the host as Terraform asks for it: in ASCII, over https.
func (t Terraform) host() (string, error) {
	url, err := gitURL(t.Host)
	if err != nil {
		return "", err
	}
	host, secure := strings.CutPrefix(url, "https://")
	if !secure || strings.Contains(host, "*") {
		return "", usage("give a host such as registry.example.com or registry.example.com:8443", "Terraform's registries are reached over https, by their names")
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		return "", usage("give it in its ASCII form (xn--…), which is how Terraform asks for it", "%q has characters beyond ASCII", host)
	}
	return host, nil
}

// add checks everything before it changes anything.
func (t Terraform) add(host string, files []string, dir string) error {
	if err := checkProgram(t.Executable); err != nil {
		return err
	}
	for _, file := range t.readAlso(files, dir) {
		if err := t.checkOthers(file, slices.Contains(files, file)); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := tryEdit(file, func(old []byte) ([]byte, error) { return t.withBlock(file, old) }); err != nil {
			return err
		}
	}
	var changed []string
	for _, file := range files {
		edited, err := t.editFile(file, 0o600, func(old []byte) ([]byte, error) { return t.withBlock(file, old) })
		if err != nil {
			return err
		}
		if edited {
			changed = append(changed, file)
		}
	}
	_, made, err := t.link("terraform-credentials-"+terraformHelper, false)
	if err != nil {
		return err
	}
	for _, file := range changed {
		if err := t.say("Terraform now asks oidc-cred for the tokens of its hosts (%s)", file); err != nil {
			return err
		}
	}
	if len(changed) == 0 && !made {
		if err := t.say("Terraform asks oidc-cred already; nothing to change"); err != nil {
			return err
		}
	}
	if err := t.noteOwnTokens(host, t.readAlso(files, dir)); err != nil {
		return err
	}
	return t.say("try it with: terraform init (where a module comes from %s)", host)
}

// configFiles are the files to write: Terraform's, and OpenTofu's own where
// there is one; without it OpenTofu reads Terraform's.
func (t Terraform) configFiles() ([]string, error) {
	for _, name := range []string{"TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"} {
		if file := t.getenv(name); file != "" {
			abs, err := filepath.Abs(file)
			return []string{abs}, err
		}
	}
	names := []string{".terraformrc", ".tofurc"}
	dir := t.Home
	if runtime.GOOS == "windows" {
		names = []string{"terraform.rc", "tofu.rc"}
		dir = t.getenv("APPDATA")
	}
	if dir == "" {
		return nil, usage("set TF_CLI_CONFIG_FILE", "there is no home directory to hold Terraform's configuration")
	}
	files := []string{filepath.Join(dir, names[0])}
	if own := filepath.Join(dir, names[1]); exists(own) {
		files = append(files, own)
	}
	return files, nil
}

// configDir is where Terraform and OpenTofu keep plugins and tokens.
func (t Terraform) configDir() (string, error) {
	if runtime.GOOS == "windows" {
		if dir := t.getenv("APPDATA"); dir != "" {
			return filepath.Join(dir, "terraform.d"), nil
		}
	}
	return t.home(".terraform.d")
}

// readAlso adds the files of the folder, which are read as well unless the
// environment names a file.
func (t Terraform) readAlso(files []string, dir string) []string {
	if t.getenv("TF_CLI_CONFIG_FILE") != "" || t.getenv("TERRAFORM_CONFIG") != "" {
		return files
	}
	for _, pattern := range []string{"*.tfrc", "*.tfrc.json"} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil {
			files = append(files, found...)
		}
	}
	return files
}

// checkOthers refuses to write beside another credentials helper, since only
// one may exist. With Force it is replaced, where we write.
func (t Terraform) checkOthers(file string, writable bool) error {
	blocks, err := terraformBlocks(file)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if b.kind != "credentials_helper" || b.label == terraformHelper || t.Force && writable {
			continue
		}
		advice := "add --force to replace it"
		if !writable {
			advice = "take it out of there"
		}
		return usage(advice, "%s has the credentials helper %q, and Terraform takes only one", file, b.label)
	}
	return nil
}

func (t Terraform) remove(files []string) error {
	found := false
	for _, file := range files {
		if t.Print {
			old, err := readFile(file)
			if err != nil {
				return err
			}
			data, err := withoutBlock(file, old)
			if err != nil {
				return err
			}
			if bytes.Equal(data, old) {
				continue
			}
			found = true
			if err := t.say("would remove the credentials helper from %s", file); err != nil {
				return err
			}
			continue
		}
		changed, err := t.editFile(file, 0o600, func(old []byte) ([]byte, error) { return withoutBlock(file, old) })
		if err != nil {
			return err
		}
		if changed {
			found = true
			if err := t.say("Terraform no longer asks oidc-cred (%s)", file); err != nil {
				return err
			}
		}
	}
	removed, err := t.unlink("terraform-credentials-" + terraformHelper)
	if err != nil || removed || found {
		return err
	}
	return t.say("Terraform does not ask oidc-cred; nothing to remove")
}

// program is the link that is called, "" where the folder of plugins is not
// known.
func (t Terraform) program() string {
	dir, err := t.configDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "plugins", linkName("terraform-credentials-"+terraformHelper))
}

// terraformEntries are what setup has put into Terraform's configuration.
func terraformEntries(c Common) ([]Entry, error) {
	t := Terraform{Common: c}
	files, err := t.configFiles()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	var failed error
	for _, file := range files {
		blocks, err := terraformBlocks(file)
		failed = errors.Join(failed, err)
		for _, b := range blocks {
			if b.kind == "credentials_helper" && b.label == terraformHelper {
				entries = append(entries, Entry{Where: file, Program: t.program()})
			}
		}
	}
	return entries, failed
}
