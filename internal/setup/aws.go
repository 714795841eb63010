package setup

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// AWS makes a profile of the AWS tools get its credentials from oidc-cred.
type AWS struct {
	Common
	// Name of the AWS tools' profile; "" is that of ours.
	Name string
	// Arguments of the helper: the role, the region and what else it is told.
	Arguments []string
}

// awsProcess is the key in the AWS tools' configuration.
const awsProcess = "credential_process"

// Run does it.
func (t AWS) Run(_ context.Context) error {
	if t.Name == "" {
		t.Name = t.Profile
	}
	if strings.ContainsAny(t.Name, "[]\"'#;\\ \t\r\n") || t.Name == "" {
		return usage("choose another one with --aws-profile", "%q is no name for a profile of the AWS tools", t.Name)
	}
	file, err := t.awsConfig()
	if err != nil {
		return err
	}
	switch {
	case t.Remove:
		return t.remove(file)
	default:
		return t.add(file)
	}
}

// process is the command, with the switches of offline mode that the one before
// has.
func (t AWS) process(before string) (string, error) {
	words, old := t.command("aws", t.Arguments...), awsWords(before)
	if sameBut(old, words) {
		return before, nil
	}
	return awsCommand(append(words, offlineIn(old)...))
}

// sectionsIn are the names of the profile's sections, as they are written.
func (t AWS) sectionsIn(data []byte) (names []string) {
	for _, section := range iniSections(data) {
		if awsProfile(section) == t.Name {
			names = append(names, section)
		}
	}
	return names
}

// sectionIn is the profile's section, or the one to make. Of two the tools take
// one, and not all of them the same.
func (t AWS) sectionIn(data []byte, file string) (string, error) {
	switch names := t.sectionsIn(data); {
	case len(names) > 1:
		return "", usage("make one of them", "%s has profile %s twice, as [%s]", file, t.Name, strings.Join(names, "] and ["))
	case len(names) == 1:
		return names[0], nil
	case t.Name == "default":
		return "default", nil
	default:
		return "profile " + t.Name, nil
	}
}

// awsProfile is the profile that a section is of, "" if it is of none. The
// tools take its name apart as a shell does: [profile "work"] is work.
func awsProfile(section string) string {
	if section == "default" {
		return section
	}
	if words := shellWords(section); len(words) == 2 && words[0] == "profile" {
		return words[1]
	}
	return ""
}

// awsConfig is the file that the AWS tools read.
func (c Common) awsConfig() (string, error) {
	if file := c.getenv("AWS_CONFIG_FILE"); file != "" {
		if rest, ok := strings.CutPrefix(file, "~/"); ok { // as the tools do
			return c.home(rest)
		}
		return filepath.Abs(file)
	}
	return c.home(".aws", "config")
}

func (t AWS) add(file string) error {
	if err := checkProgram(t.Executable); err != nil {
		return err
	}
	if endpoint := argument(t.Arguments, "--endpoint-url"); endpoint != "" {
		if err := checkSecure(endpoint); err != nil {
			return err
		}
	}
	section, command := "", ""
	edit := func(old []byte) (_ []byte, err error) {
		if section, err = t.sectionIn(old, file); err != nil {
			return nil, err
		}
		value, found := iniGet(old, section, awsProcess)
		if found && !t.ours(value) {
			return nil, usage("choose another name with --aws-profile", "profile %s in %s has a %s that is not oidc-cred's", t.Name, file, awsProcess)
		}
		// These come before a credential_process.
		for _, key := range []string{"role_arn", "source_profile", "web_identity_token_file", "sso_session", "sso_start_url", "aws_access_key_id", "login_session"} {
			if _, found := iniGet(old, section, key); found {
				return nil, usage("choose another name with --aws-profile, or take it out", "profile %s in %s gets its credentials by %s already", t.Name, file, key)
			}
		}
		if command, err = t.process(value); err != nil {
			return nil, err
		}
		return iniSet(old, section, awsProcess, command), nil
	}
	if t.Print {
		if err := tryEdit(file, edit); err != nil {
			return err
		}
		return t.say("# in %s\n[%s]\n%s = %s", file, section, awsProcess, command)
	}
	changed, err := t.editFile(file, 0o600, edit)
	if err != nil {
		return err
	}
	if changed {
		err = t.say("AWS profile %s in %s gets its credentials from oidc-cred", t.Name, file)
	} else {
		err = t.say("AWS profile %s in %s asks oidc-cred already; nothing to change", t.Name, file)
	}
	if err != nil {
		return err
	}
	if err := t.noteStoredKeys(); err != nil {
		return err
	}
	try := "aws sts get-caller-identity"
	if t.Name != "default" {
		try += " --profile " + t.Name
	}
	return t.say("try it with: %s", try)
}

// noteStoredKeys warns of keys that the tools would use instead of ours.
func (t AWS) noteStoredKeys() error {
	file := t.getenv("AWS_SHARED_CREDENTIALS_FILE")
	if file == "" {
		var err error
		if file, err = t.home(".aws", "credentials"); err != nil {
			return nil //nolint:nilerr // then there is none
		}
	}
	data, err := readFile(file)
	if err != nil {
		return nil //nolint:nilerr // it is not ours to read
	}
	if _, found := iniGet(data, t.Name, "aws_access_key_id"); found {
		return t.say("note: %s has keys for %s, which come first: take them out", file, t.Name)
	}
	if t.getenv("AWS_ACCESS_KEY_ID") != "" {
		return t.say("note: AWS_ACCESS_KEY_ID is set, and what it names comes first")
	}
	return nil
}

func (t AWS) remove(file string) error {
	would := false
	edit := func(old []byte) ([]byte, error) {
		for _, section := range t.sectionsIn(old) {
			value, found := iniGet(old, section, awsProcess)
			if !found {
				continue
			}
			if !t.ours(value) {
				return nil, usage("", "the %s of profile %s in %s is not oidc-cred's", awsProcess, t.Name, file)
			}
			would = true
			old = iniUnset(old, section, awsProcess)
		}
		return old, nil
	}
	if t.Print {
		if err := tryEdit(file, edit); err != nil {
			return err
		}
		if would {
			return t.say("would remove the %s of AWS profile %s from %s", awsProcess, t.Name, file)
		}
	} else if _, err := t.editFile(file, 0o600, edit); err != nil {
		return err
	}
	if !would {
		return t.say("AWS profile %s in %s does not ask oidc-cred; nothing to remove", t.Name, file)
	}
	return t.say("removed the %s of AWS profile %s from %s", awsProcess, t.Name, file)
}

// RemoveHost is [AWS.Run] to remove, and says which host gets no token for the
// AWS tools any more: the STS, unless another of their profiles asks it.
func (t AWS) RemoveHost(ctx context.Context) (string, error) {
	before, err := t.hosts()
	if err != nil {
		return "", err
	}
	if err := t.Run(ctx); err != nil {
		return "", err
	}
	after, err := t.hosts()
	if err != nil {
		return "", err
	}
	for _, host := range before {
		if !slices.Contains(after, host) {
			return host, nil
		}
	}
	return "", nil
}

func (t AWS) hosts() (hosts []string, err error) {
	entries, err := awsEntries(t.Common)
	for _, e := range entries {
		if e.Profile == t.Profile {
			hosts = append(hosts, e.Host)
		}
	}
	return hosts, err
}

func (c Common) ours(command string) bool {
	return isOurs(awsWords(command), "aws", c.Executable)
}

// awsCommand writes a command as all of the AWS tools read it: some split it by
// a shell's rules, some give it to the shell.
func awsCommand(words []string) (string, error) {
	for i, w := range words {
		if strings.ContainsAny(w, "\"'`$%#;&|<>()*?!~^\r\n") {
			return "", usage("move the program to another path, or give another --config", "%q has characters that the AWS tools read in different ways", w)
		}
		if w == "" || strings.ContainsAny(w, " \t") || strings.Contains(w, `\`) && filepath.Separator != '\\' {
			words[i] = `"` + w + `"`
		}
	}
	return strings.Join(words, " "), nil
}

// awsWords takes such a command apart.
func awsWords(command string) []string {
	if filepath.Separator == '\\' {
		command = strings.ReplaceAll(command, `\`, `\\`)
	}
	return shellWords(command)
}

// awsEntries are what setup has put into the tool's configuration.
func awsEntries(c Common) ([]Entry, error) {
	file, err := c.awsConfig()
	if err != nil {
		return nil, err
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, section := range iniSections(data) {
		value, _ := iniGet(data, section, awsProcess)
		words := awsWords(value)
		if !isOurs(words, "aws", c.Executable) {
			continue
		}
		endpoint, err := helper.STSEndpoint(argument(words, "--endpoint-url"), argument(words, "--region"), c.getenv)
		if err != nil {
			return entries, err
		}
		server, _ := helper.ParseServer(endpoint)
		entries = append(entries, Entry{Where: file, Host: server.Host, Profile: argument(words, "--profile"), Program: words[0]})
	}
	return entries, nil
}

// argument is the value of a flag among the words of a command.
func argument(words []string, flag string) string {
	if i := slices.Index(words, flag); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}
