package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// GCP writes a credential configuration for Google Cloud's libraries and
// gcloud, as `gcloud iam workload-identity-pools create-cred-config` does. It
// has no secret in it.
type GCP struct {
	Common
	// Audience is the pool's provider, as
	// //iam.googleapis.com/projects/…/providers/….
	Audience string
	// ServiceAccount to impersonate; "" uses the federated identity itself.
	ServiceAccount string
	// UserProject is billed for the calls of a workforce identity.
	UserProject string
	// Access: the access token, which has to be a JWT, instead of the ID token.
	Access bool
	// TokenURL is another STS; "" is Google's.
	TokenURL string
	// File to write; "" is oidc-cred-PROFILE.json in gcloud's folder.
	File string
}

const (
	gcpSTS     = "https://sts.googleapis.com/v1/token"
	gcpTimeout = 30000
)

// Run does it.
func (t GCP) Run(_ context.Context) error {
	file, err := t.file()
	if err != nil {
		return err
	}
	if t.Remove {
		return t.remove(file)
	}
	if _, err := t.keys(nil); err != nil {
		return err
	}
	edit := func(old []byte) ([]byte, error) {
		var words []string
		if len(old) > 0 {
			var ours bool
			if words, ours, err = t.gcpCommand(old); err != nil || !ours {
				return nil, usage("choose another file with --out", "%s is there and not oidc-cred's", file)
			}
		}
		keys, err := t.keys(words)
		if err != nil {
			return nil, err
		}
		return writeGCP(old, keys)
	}
	if t.Print {
		old, err := readFile(file)
		if err != nil {
			return err
		}
		data, err := edit(old)
		if err != nil {
			return err
		}
		return t.say("# %s\n%s", file, strings.TrimRight(string(data), "\n"))
	}
	changed, err := t.editFile(file, 0o600, edit)
	if err != nil {
		return err
	}
	if changed {
		err = t.say("%s tells Google Cloud's tools to ask oidc-cred for a token of profile %s", file, t.Profile)
	} else {
		err = t.say("%s asks oidc-cred already; nothing to change", file)
	}
	if err != nil {
		return err
	}
	quoted := shellWord(file)
	return t.say("try it with: export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1; gcloud auth login --cred-file=%s\nfor programs: export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 GOOGLE_APPLICATION_CREDENTIALS=%s", quoted, quoted)
}

// gcpKey is one member of the configuration.
type gcpKey struct {
	path  []string
	value any
}

// keys are the configuration's members, in its order. A value that is nil is
// taken out. before is the command that is there already.
func (t GCP) keys(before []string) ([]gcpKey, error) {
	if err := checkProgram(t.Executable); err != nil {
		return nil, err
	}
	// As gcloud's own command takes it.
	if strings.HasPrefix(t.Audience, "projects/") || strings.HasPrefix(t.Audience, "locations/") {
		t.Audience = "//iam.googleapis.com/" + t.Audience
	}
	if !strings.HasPrefix(t.Audience, "//iam.googleapis.com/") || !strings.Contains(t.Audience, "/providers/") || strings.ContainsAny(t.Audience, " \t\r\n") {
		return nil, usage("it is like //iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/POOL/providers/PROVIDER", "%q is no audience of an identity pool", t.Audience)
	}
	words := t.command("gcp")
	kind := "urn:ietf:params:oauth:token-type:jwt"
	switch {
	case t.Access:
		words = append(words, "--type", "access")
	case strings.Contains(t.Audience, "/workforcePools/"):
		kind = "urn:ietf:params:oauth:token-type:id_token"
	}
	if sameBut(before, words) {
		words = before
	} else {
		words = append(words, offlineIn(before)...)
	}
	for _, w := range words {
		if strings.ContainsAny(w, " \t\r\n\"'") {
			return nil, usage("move the program, or give a --config without blanks", "Google's libraries can't call a program whose path or arguments have blanks or quotes, as %q has", w)
		}
	}
	url := t.TokenURL
	if url == "" {
		url = gcpSTS
	}
	if err := checkSecure(url); err != nil {
		return nil, err
	}
	var impersonate, project any
	// Where gcloud asks for the name of who has signed in.
	info := any(strings.TrimSuffix(url, "/token") + "/introspect")
	if t.ServiceAccount != "" {
		if !strings.Contains(t.ServiceAccount, "@") || strings.ContainsAny(t.ServiceAccount, "/?# \t\r\n") {
			return nil, usage("it is like NAME@PROJECT.iam.gserviceaccount.com", "%q is no service account", t.ServiceAccount)
		}
		info = nil
		impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + t.ServiceAccount + ":generateAccessToken"
	}
	if t.UserProject != "" {
		project = t.UserProject
	}
	return []gcpKey{
		{[]string{"type"}, "external_account"},
		{[]string{"universe_domain"}, "googleapis.com"},
		{[]string{"audience"}, t.Audience},
		{[]string{"subject_token_type"}, kind},
		{[]string{"token_url"}, url},
		{[]string{"token_info_url"}, info},
		{[]string{"workforce_pool_user_project"}, project},
		{[]string{"service_account_impersonation_url"}, impersonate},
		{[]string{"credential_source", "executable", "command"}, strings.Join(words, " ")},
		{[]string{"credential_source", "executable", "timeout_millis"}, gcpTimeout},
	}, nil
}

// writeGCP sets the members and keeps others, and how long a tool is to wait.
func writeGCP(data []byte, keys []gcpKey) (_ []byte, err error) {
	if len(data) == 0 {
		// With blanks: gcloud reads the file as YAML, which has no tabs.
		data = []byte("{\n  \"type\": \"external_account\"\n}\n")
	}
	for _, k := range keys {
		if _, found, _ := jsonGet(data, k.path...); found && k.value == gcpTimeout {
			continue
		}
		if k.value == nil {
			data, err = jsonUnset(data, k.path...)
		} else {
			data, err = jsonSet(data, k.value, k.path...)
		}
		if err != nil {
			return nil, fmt.Errorf("edit the credential configuration: %w", err)
		}
	}
	return data, nil
}

// file is where the configuration goes.
func (t GCP) file() (string, error) {
	if t.File != "" {
		return filepath.Abs(t.File)
	}
	dir, err := t.gcloudDir()
	return filepath.Join(dir, "oidc-cred-"+t.Profile+".json"), err
}

// gcloudDir is where gcloud keeps its configuration.
func (c Common) gcloudDir() (string, error) {
	if dir := c.getenv("CLOUDSDK_CONFIG"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := c.getenv("APPDATA"); dir != "" && runtime.GOOS == "windows" {
		return filepath.Join(dir, "gcloud"), nil
	}
	return c.home(".config", "gcloud")
}

func (t GCP) remove(file string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return t.say("there is no %s; nothing to remove", file)
	}
	if ours, err := t.isOurs(data); err != nil || !ours {
		return usage("", "%s is not oidc-cred's", file)
	}
	if t.Print {
		return t.say("would remove %s", file)
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove the credential configuration: %w", err)
	}
	return t.say("removed %s", file)
}

// gcpCommand is the command of a credential configuration, and whether it calls
// this program.
func (c Common) gcpCommand(data []byte) (words []string, ours bool, err error) {
	raw, found, err := jsonGet(data, "credential_source", "executable", "command")
	if err != nil || !found {
		return nil, false, err
	}
	var command string
	if err := json.Unmarshal(raw, &command); err != nil {
		return nil, false, err
	}
	words = strings.Fields(command)
	return words, isOurs(words, "gcp", c.Executable), nil
}

func (t GCP) isOurs(data []byte) (bool, error) {
	_, ours, err := t.gcpCommand(data)
	return ours, err
}

// gcpEntries are what setup has put into gcloud's folder, and the file that the
// libraries are told of.
func gcpEntries(c Common) ([]Entry, error) {
	dir, err := c.gcloudDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "oidc-cred-*.json"))
	if err != nil {
		return nil, err
	}
	if file := c.getenv("GOOGLE_APPLICATION_CREDENTIALS"); file != "" && filepath.Dir(file) != dir {
		files = append(files, file)
	}
	var entries []Entry
	for _, file := range files {
		data, err := readFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return entries, err
		}
		if words, ours, err := c.gcpCommand(data); err == nil && ours {
			entries = append(entries, Entry{Where: file, Profile: argument(words, "--profile"), Program: words[0]})
		}
	}
	return entries, nil
}
