package setup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Go makes the go command ask oidc-cred. GOAUTH is one list for all hosts, so
// the entry is a profile's, and the profile's hosts say who gets the token.
type Go struct {
	Common
	// Host is the server that gets the token: a module mirror, or one that
	// module paths begin with.
	Host string
	// Others are the profile's hosts that it was set up for as well: while
	// there is one, Remove leaves GOAUTH.
	Others []string
}

// Without GOAUTH the go command reads .netrc, and with it no longer does unless
// it is told to.
const defaultGOAUTH = "netrc"

// Run does it.
func (g Go) Run(_ context.Context) error {
	host, err := goHost(g.Host)
	if err != nil {
		return err
	}
	path, err := goEnvFile(g.getenv)
	if err != nil {
		return err
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	old, set := goEnv(data, "GOAUTH")
	if g.Remove && len(g.Others) > 0 {
		return g.say("go goes on asking oidc-cred with profile %s, for %s", g.Profile, strings.Join(g.Others, ", "))
	}
	if g.Remove {
		return g.remove(path, old)
	}
	if err := checkProgram(g.Executable); err != nil {
		return err
	}
	want, err := g.with(old, set)
	if err != nil {
		return err
	}
	if g.Print {
		if err := g.say("# in %s\nGOAUTH=%s", path, want); err != nil {
			return err
		}
		return g.hints(host, data)
	}
	changed, err := g.editFile(path, 0o644, func(data []byte) ([]byte, error) { return setGoEnv(data, "GOAUTH", want), nil })
	switch {
	case err != nil:
		return err
	case changed:
		err = g.say("go now asks oidc-cred for the hosts of profile %s (GOAUTH in %s)", g.Profile, path)
	default:
		err = g.say("go asks oidc-cred for the hosts of profile %s already; nothing to change", g.Profile)
	}
	if err != nil {
		return err
	}
	if err := g.say("try it: go list -m -versions MODULE, with a module of %s", host); err != nil {
		return err
	}
	if env := g.getenv("GOAUTH"); env != "" && !slices.ContainsFunc(goCommands(env), g.ours) {
		if err := g.say("note: GOAUTH is set in the environment to %q, which goes before the file", env); err != nil {
			return err
		}
	}
	return g.hints(host, data)
}

// hints say what else go must be told of a private host; what is private is the
// person's to decide, so it is not changed.
func (g Go) hints(host string, data []byte) error {
	value := func(name string) string {
		if v := g.getenv(name); v != "" {
			return v
		}
		v, _ := goEnv(data, name)
		return v
	}
	if proxy := value("GOPROXY"); strings.Contains(proxy, "://"+host) {
		if value("GOPRIVATE") == "" && value("GONOSUMDB") == "" && value("GOSUMDB") == "" {
			return g.say("note: go asks the public checksum database about modules of this mirror too; for private ones say which they are: go env -w GONOSUMDB=example.com/private")
		}
		return nil
	}
	if value("GOPRIVATE") == "" && !strings.Contains(host, "*") {
		// The path counts for a mirror alone; direct is for what it does not have.
		_, path, _ := strings.Cut(strings.TrimPrefix(g.Host, "https://"), "/")
		mirror := strings.TrimSuffix("https://"+host+"/"+path, "/")
		return g.say("note: for modules at %s itself tell go that they are private: go env -w GOPRIVATE=%s; for a module mirror: go env -w GOPROXY=%s", host, host, shellWord(mirror+",direct"))
	}
	return nil
}

// with is the list with our entry. It stands first, since of several that know
// a host the first wins, and ours knows none but those of the profile.
func (g Go) with(old string, set bool) (string, error) {
	list := goCommands(old)
	at := slices.IndexFunc(list, g.ours)
	var kept []string
	if at >= 0 {
		kept = offlineIn(goSplit(list[at]))
	}
	words := g.command("go", kept...)
	for i, w := range words {
		var err error
		if words[i], err = goWord(w); err != nil {
			return "", err
		}
	}
	ours := strings.Join(words, " ")
	switch {
	case !set || len(list) == 0:
		list = []string{defaultGOAUTH}
	case list[0] == "off":
		return "", usage("allow it first: go env -u GOAUTH", "GOAUTH is off, so that go authenticates nowhere")
	case at >= 0:
		list[at] = ours
		return strings.Join(list, ";"), nil
	}
	return strings.Join(append([]string{ours}, list...), ";"), nil
}

func (g Go) remove(path, old string) error {
	list := goCommands(old)
	left := slices.DeleteFunc(slices.Clone(list), g.ours)
	if len(left) == len(list) {
		return g.say("go does not ask oidc-cred for the hosts of profile %s; nothing to remove", g.Profile)
	}
	if g.Print {
		return g.say("would take oidc-cred out of GOAUTH in %s", path)
	}
	want := strings.Join(left, ";")
	if want == defaultGOAUTH {
		// It was there only if it was before our first change.
		before, err := readFile(path + backupSuffix)
		if err != nil {
			return err
		}
		if was, _ := goEnv(before, "GOAUTH"); was != defaultGOAUTH {
			want = ""
		}
	}
	if err := g.rewrite(path, want); err != nil {
		return err
	}
	return g.say("go no longer asks oidc-cred for the hosts of profile %s (GOAUTH in %s)", g.Profile, path)
}

// rewrite writes what is left. A file that is empty now and was not there
// before our first change goes.
func (g Go) rewrite(path, want string) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path + backupSuffix); errors.Is(err, fs.ErrNotExist) && len(setGoEnv(data, "GOAUTH", want)) == 0 {
		return os.Remove(path)
	}
	_, err = g.editFile(path, 0o644, func(data []byte) ([]byte, error) { return setGoEnv(data, "GOAUTH", want), nil })
	return err
}

// ours says whether a command of the list is ours, for this profile.
func (g Go) ours(command string) bool {
	words := goSplit(command)
	return isOurs(words, "go", g.Executable) && profileIn(words) == g.Profile
}

// goEnvFile is where `go env -w` writes.
func goEnvFile(getenv func(string) string) (string, error) {
	path := ""
	if getenv != nil {
		path = getenv("GOENV")
	}
	switch path {
	case "off":
		return "", usage("unset GOENV", "GOENV is off, so that go reads no settings")
	case "":
		dir, err := os.UserConfigDir()
		if err != nil {
			return "", usage("set HOME", "%v", err)
		}
		return filepath.Join(dir, "go", "env"), nil
	}
	return filepath.Abs(path)
}

// goEnv reads one setting of the file. Lines are NAME=VALUE as they stand; of
// two the last one counts.
func goEnv(data []byte, name string) (value string, found bool) {
	for line := range bytes.Lines(data) {
		if v, ok := strings.CutPrefix(string(bytes.TrimRight(line, "\r\n")), name+"="); ok {
			value, found = v, true
		}
	}
	return value, found
}

// setGoEnv changes one setting and nothing else; "" takes it out.
func setGoEnv(data []byte, name, value string) []byte {
	var out []byte
	done := value == ""
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte(name+"=")) {
			out = append(out, line...)
			continue
		}
		if done {
			continue
		}
		end := line[len(bytes.TrimRight(line, "\r\n")):]
		out = append(append(out, name+"="+value...), end...)
		done = true
	}
	if done {
		return out
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, name+"="+value+"\n"...)
}

// goCommands takes the list apart; what is between two semicolons is a command,
// whatever is quoted.
func goCommands(list string) []string {
	var commands []string
	for c := range strings.SplitSeq(list, ";") {
		if c = strings.TrimSpace(c); c != "" {
			commands = append(commands, c)
		}
	}
	return commands
}

// goSplit takes a command apart as the go command does: words may stand in
// quotes of either kind, and nothing is escaped.
func goSplit(command string) (words []string) {
	for command = strings.TrimLeft(command, " \t\r\n"); command != ""; command = strings.TrimLeft(command, " \t\r\n") {
		if q := command[:1]; q == "'" || q == `"` {
			word, rest, found := strings.Cut(command[1:], q)
			if !found {
				return nil
			}
			words, command = append(words, word), rest
			continue
		}
		end := strings.IndexAny(command, " \t\r\n")
		if end < 0 {
			end = len(command)
		}
		words, command = append(words, command[:end]), command[end:]
	}
	return words
}

// goWord is a word as goSplit reads it.
func goWord(word string) (string, error) {
	switch {
	case strings.ContainsAny(word, ";\r\n"), strings.Contains(word, "'") && strings.Contains(word, `"`):
		return "", usage("move it to a folder whose name has none of them", "GOAUTH can't hold %q, for its semicolon, line end or quotes", word)
	case strings.Contains(word, "'"):
		return `"` + word + `"`, nil
	case word == "" || strings.ContainsAny(word, " \t\""):
		return "'" + word + "'", nil
	}
	return word, nil
}

// goHost is the server as the profile's hosts name it. The go command
// authenticates over https alone.
func goHost(host string) (string, error) {
	name := strings.TrimPrefix(host, "https://")
	name, _, _ = strings.Cut(name, "/")
	url, err := gitURL("https://" + name)
	if err != nil || strings.Contains(host, "://") && !strings.HasPrefix(host, "https://") {
		return "", usage("give a host such as go.example.com or go.example.com:8443", "%q is no https server", host)
	}
	return strings.TrimPrefix(url, "https://"), nil
}

// goauthEntries are what setup has put into the tool's configuration. One entry
// serves all hosts of its profile.
func goauthEntries(c Common) ([]Entry, error) {
	path, err := goEnvFile(c.getenv)
	if err != nil {
		return nil, err
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	list, _ := goEnv(data, "GOAUTH")
	var entries []Entry
	for _, command := range goCommands(list) {
		if words := goSplit(command); isOurs(words, "go", c.Executable) {
			entries = append(entries, Entry{Where: path, Profile: profileIn(words), Program: words[0]})
		}
	}
	return entries, nil
}
