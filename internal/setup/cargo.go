package setup

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Cargo makes cargo ask oidc-cred for one registry's token.
type Cargo struct {
	Common
	// Registry is the name that projects give the registry.
	Registry string
	// Index is sparse+https://crates.example.com/index/; "" takes the one that
	// cargo's configuration has already.
	Index string
	// Force replaces another credential provider.
	Force bool
	// Host is set by Run: the index's server.
	Host string
}

// cargoMark stands behind an index that setup has written, so that --remove
// knows it from one that was there.
const cargoMark = "# by oidc-cred setup"

// Run does it.
func (c *Cargo) Run(_ context.Context) error {
	if err := checkRegistry(c.Registry); err != nil {
		return err
	}
	path, err := c.cargoConfig()
	if err != nil {
		return err
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	old, err := readRegistry(data, c.Registry)
	if err != nil {
		return fileError(path, err)
	}
	if c.Remove {
		return c.remove(path, old)
	}
	if err := checkProgram(c.Executable); err != nil {
		return err
	}
	if err := c.choose(path, old); err != nil {
		return err
	}
	if c.Print {
		return c.say("# in %s\n%s", path, c.section(old))
	}
	changed, err := c.editFile(path, 0o644, func(data []byte) ([]byte, error) { return c.add(data, old) })
	switch {
	case err != nil:
		return fileError(path, err)
	case !changed:
		return c.say("cargo asks oidc-cred for the registry %s with profile %s already; nothing to change", c.Registry, c.Profile)
	}
	if err := c.say("cargo now asks oidc-cred for the registry %s with profile %s (%s)", c.Registry, c.Profile, path); err != nil {
		return err
	}
	return c.say("try it: cargo search --registry %s anything", c.Registry)
}

// registry is one of cargo's configuration.
type registry struct {
	index    string
	provider []string
}

// readRegistry takes the entry apart. A provider is a list of words, or one
// string with spaces between them.
func readRegistry(data []byte, name string) (registry, error) {
	tree, err := parseTOML(data)
	if err != nil {
		return registry{}, err
	}
	return registryOf(tree, name), nil
}

func registryOf(tree map[string]any, name string) (r registry) {
	index, _ := treeGet(tree, []string{"registries", name, "index"})
	r.index, _ = index.(string)
	provider, _ := treeGet(tree, []string{"registries", name, "credential-provider"})
	r.provider = cargoWords(provider)
	return r
}

func cargoWords(provider any) (words []string) {
	switch p := provider.(type) {
	case string:
		return strings.Fields(p)
	case []any:
		for _, w := range p {
			word, _ := w.(string)
			words = append(words, word)
		}
	}
	return words
}

// choose settles which index it is, and whether the entry may be changed.
func (c *Cargo) choose(path string, old registry) error {
	if c.Index == "" {
		c.Index = old.index
	}
	if c.Index == "" {
		return usage("name the index, such as sparse+https://crates.example.com/index/", "cargo knows no registry %s (%s)", c.Registry, path)
	}
	if strings.HasPrefix(c.Index, "sparse+") && !strings.HasSuffix(c.Index, "/") {
		c.Index += "/" // cargo takes no other
	}
	var err error
	if c.Host, err = indexHost(c.Index); err != nil {
		return err
	}
	if old.index != "" && strings.TrimSuffix(old.index, "/") != strings.TrimSuffix(c.Index, "/") {
		return usage("leave the index out, or choose another name", "the registry %s has the index %s already (%s)", c.Registry, old.index, path)
	}
	if old.provider != nil && !c.ours(old) && !c.Force {
		return usage("replace it with --force", "the registry %s has the credential provider %s already (%s)", c.Registry, strings.Join(old.provider, " "), path)
	}
	return nil
}

func (c *Cargo) ours(r registry) bool { return isOurs(r.provider, "cargo", c.Executable) }

func (c *Cargo) add(data []byte, old registry) ([]byte, error) {
	table := "registries." + c.Registry
	if old.index == "" {
		var err error
		if data, err = tomlSet(data, table, "index", tomlString(c.Index)+" "+cargoMark); err != nil {
			return nil, err
		}
	}
	return tomlSet(data, table, "credential-provider", c.provider(old))
}

// provider is the setting's value. Cargo hands the words after the program to
// it in each request.
func (c *Cargo) provider(old registry) string {
	var kept []string
	if c.ours(old) {
		kept = offlineIn(old.provider)
	}
	words := c.command("cargo", kept...)
	for i, w := range words {
		words[i] = tomlString(w)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func (c *Cargo) section(old registry) string {
	return "[registries." + c.Registry + "]\nindex = " + tomlString(c.Index) + "\ncredential-provider = " + c.provider(old)
}

func (c *Cargo) remove(path string, old registry) error {
	if old.index != "" {
		c.Host, _ = indexHost(old.index) // a bad one is mapped nowhere
	}
	if !c.ours(old) {
		return c.say("cargo does not ask oidc-cred for the registry %s; nothing to remove (%s)", c.Registry, path)
	}
	table := "registries." + c.Registry
	keeps := false
	edit := func(data []byte) ([]byte, error) {
		data, err := tomlUnset(data, table, "credential-provider")
		if err != nil {
			return nil, err
		}
		st, found := findTOML(readTOML(data), tomlPath(table, "index"))
		if keeps = !found || !strings.Contains(string(data[st.valueEnd:st.end]), cargoMark); keeps {
			return data, nil
		}
		return tomlUnset(data, table, "index")
	}
	if c.Print {
		return c.say("would take credential-provider out of [%s] in %s", table, path)
	}
	if _, err := c.editFile(path, 0o644, edit); err != nil {
		return fileError(path, err)
	}
	rest := ""
	if keeps {
		rest = "; the registry itself stays"
	}
	return c.say("cargo no longer asks oidc-cred for the registry %s (%s)%s", c.Registry, path, rest)
}

// cargoConfig is cargo's own configuration file for the user. Of the two names
// the older one wins where both are there.
func (c Common) cargoConfig() (string, error) {
	dir := c.getenv("CARGO_HOME")
	if dir == "" {
		var err error
		if dir, err = c.home(".cargo"); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(filepath.Join(dir, "config")); err == nil && info.Mode().IsRegular() {
		return filepath.Join(dir, "config"), nil
	}
	return filepath.Join(dir, "config.toml"), nil
}

// checkRegistry takes what cargo takes for a registry's name. Crates.io has its
// settings elsewhere and a token of its own.
func checkRegistry(name string) error {
	bad := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	switch {
	case name == "" || strings.ContainsFunc(name, bad):
		return usage("give the name that projects use, of letters, digits, '-' and '_', and after it the index", "%q is no registry's name", name)
	case name == "crates-io":
		return usage("", "crates.io takes tokens of its own only")
	}
	return nil
}

// indexHost is the index's server, as the profile's hosts name it.
func indexHost(index string) (string, error) {
	const example = "give a URL such as sparse+https://crates.example.com/index/"
	url := strings.TrimPrefix(index, "sparse+")
	scheme, rest, found := strings.Cut(url, "://")
	if !found || strings.ContainsAny(index, " \t\r\n\x00\"'#?") {
		return "", usage(example, "%q is no index", index)
	}
	host, _, _ := strings.Cut(rest, "/")
	base, err := gitURL(scheme + "://" + host)
	if err != nil {
		return "", err
	}
	if strings.Contains(host, "*") {
		return "", usage(example, "%q is no index", index)
	}
	_, host, _ = strings.Cut(base, "://")
	return host, nil
}

// tomlString is a string in TOML, a literal one where that reads better.
func tomlString(s string) string {
	if strings.Contains(s, `\`) && !strings.ContainsFunc(s, func(r rune) bool { return r == '\'' || r < ' ' || r == 0x7f }) {
		return "'" + s + "'"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a builder takes everything
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\x7f", `\u007f`)
}

// fileError says in which file it is that something is wrong.
func fileError(path string, err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // ours, as the editor made it
		return &Error{Message: path + ": " + e.Message, Advice: e.Advice, Usage: e.Usage, Err: e.Err}
	}
	return err
}

// cargoEntries are what setup has put into the tool's configuration.
func cargoEntries(c Common) ([]Entry, error) {
	path, err := c.cargoConfig()
	if err != nil {
		return nil, err
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	tree, err := parseTOML(data)
	if err != nil {
		return nil, fileError(path, err)
	}
	var entries []Entry
	registries, _ := tree["registries"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(registries)) {
		r := registryOf(tree, name)
		if !isOurs(r.provider, "cargo", c.Executable) {
			continue
		}
		host, _ := indexHost(r.index)
		entries = append(entries, Entry{Where: path, Host: host, Profile: profileIn(r.provider), Program: r.provider[0]})
	}
	return entries, nil
}
