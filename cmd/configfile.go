package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfig bounds the file: it is read at every call.
const maxConfig = 1 << 20

// values are a profile's settings as written: key to text, list or table.
type values map[string]any

// configFile is config.yaml, checked.
type configFile struct {
	path           string
	exists         bool
	defaultProfile string
	names          []string // in the file's order
	profiles       map[string]values
	known          []setting
}

// settings are those that there are, made once.
func (c *configFile) settings() []setting {
	if c.known == nil {
		c.known = settings()
	}
	return c.known
}

// readConfig reads and checks the file. One that does not exist is empty.
func readConfig(path string) (*configFile, error) {
	c := &configFile{path: path, profiles: map[string]values{}}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close() //nolint:errcheck // opened for reading
	// It names commands that are run. In a folder such as /tmp anybody may put
	// one where somebody else looks for his own.
	if info, err := file.Stat(); err == nil && !ours(info, filepath.Dir(path)) {
		return nil, usageError{message: path + " belongs to another user", hint: "take over the file with chown, or " + anotherFile}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(data) > maxConfig {
		return nil, usageError{message: fmt.Sprintf("%s: larger than %d bytes", path, maxConfig), hint: anotherFile}
	}
	c.exists = true
	if err := c.parse(data); err != nil {
		return nil, err
	}
	return c, nil
}

const anotherFile = "name the configuration file with --config or $OIDC_CRED_CONFIG"

func unreadable(err error) error {
	return usageError{message: "the configuration can't be read: " + err.Error(), hint: "check the owner and the permissions of the file, or " + anotherFile}
}

func (c *configFile) parse(data []byte) error {
	root, err := parseYAML(data)
	if err != nil {
		return usageError{message: fmt.Sprintf("%s: %s", c.path, strings.TrimPrefix(err.Error(), "yaml: ")), hint: "the file must be YAML; 'oidc-cred profile list' checks it"}
	}
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return c.wrong(root, "", "expected the keys default_profile and profiles")
	}
	return c.eachKey(root, "", func(name string, key, value *yaml.Node) error {
		switch name {
		case "default_profile":
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				return c.wrong(value, name, "expected the name of a profile")
			}
			c.defaultProfile = value.Value
			return nil
		case "profiles":
			return c.parseProfiles(value)
		default:
			return c.wrong(key, name, "unknown key; expected default_profile or profiles")
		}
	})
}

// parseYAML gives the document's root, nil if there is none.
func parseYAML(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if len(document.Content) != 1 || document.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return document.Content[0], nil
}

func (c *configFile) parseProfiles(node *yaml.Node) error {
	if node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return c.wrong(node, "profiles", "expected profiles by name")
	}
	known := c.settings()
	return c.eachKey(node, "profiles", func(name string, key, value *yaml.Node) error {
		if err := checkProfileName(name); err != nil {
			return c.wrong(key, "profiles."+name, err.Error())
		}
		profile := values{}
		c.names = append(c.names, name)
		c.profiles[name] = profile
		if value.Tag == "!!null" {
			return nil
		}
		if value.Kind != yaml.MappingNode {
			return c.wrong(value, "profiles."+name, "expected the profile's keys, such as issuer and client_id")
		}
		return c.parseProfile(value, "profiles."+name, "", profile, known)
	})
}

// parseProfile reads the keys below prefix ("", "offline." or
// "offline.retry.").
func (c *configFile) parseProfile(node *yaml.Node, path, prefix string, into values, known []setting) error {
	return c.eachKey(node, path, func(name string, key, value *yaml.Node) error {
		full := prefix + name
		here := path + "." + name
		for _, s := range known {
			if s.key == full {
				v, err := c.value(s, value, here)
				if err == nil && v != nil {
					into[full] = v
				}
				return err
			}
			if strings.HasPrefix(s.key, full+".") {
				if value.Tag == "!!null" {
					return nil
				}
				if value.Kind != yaml.MappingNode {
					return c.wrong(value, here, "expected keys below it")
				}
				return c.parseProfile(value, here, full+".", into, known)
			}
		}
		problem := "unknown key"
		if full == "client_secret" {
			problem = "a client secret never stands in this file; expected client_secret_env, client_secret_command or client_secret_keychain"
		} else if near := nearest(full, known); near != "" {
			problem += "; did you mean " + near + "?"
		}
		return c.wrong(key, here, problem)
	})
}

// value reads one setting; nil stands for an empty one, which is the default.
func (c *configFile) value(s setting, node *yaml.Node, path string) (any, error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" {
		return nil, nil
	}
	switch s.shape {
	case list:
		if node.Kind != yaml.SequenceNode {
			return nil, c.wrong(node, path, "expected a list, such as [a, b]")
		}
		items := make([]string, 0, len(node.Content))
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, c.wrong(item, path, "expected a list of texts")
			}
			if err := s.check(item.Value); err != nil {
				return nil, c.wrong(item, path, err.Error())
			}
			items = append(items, item.Value)
		}
		return items, nil
	case table:
		if node.Kind != yaml.MappingNode {
			return nil, c.wrong(node, path, "expected names with texts, such as {prompt: login}")
		}
		entries := map[string]string{}
		err := c.eachKey(node, path, func(name string, _, value *yaml.Node) error {
			if value.Kind != yaml.ScalarNode {
				return c.wrong(value, path+"."+name, "expected a text")
			}
			if err := checkAuthParam(name, value.Value); err != nil {
				return c.wrong(value, path+"."+name, err.Error())
			}
			entries[name] = value.Value
			return nil
		})
		return entries, err
	default:
		if node.Kind != yaml.ScalarNode {
			return nil, c.wrong(node, path, "expected a single value")
		}
		if node.Value == "" {
			return nil, nil
		}
		if s.check != nil {
			if err := s.check(node.Value); err != nil {
				return nil, c.wrong(node, path, err.Error())
			}
		}
		if s.path {
			return c.resolvePath(node.Value), nil
		}
		return node.Value, nil
	}
}

// resolvePath reads a file's name as one beside the configuration, or in the
// home directory: the folder that a command is called from says nothing.
func (c *configFile) resolvePath(path string) string {
	path = inHome(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.path), path)
}

// inHome reads ~/ as the home directory.
func inHome(path string) string {
	if rest, found := strings.CutPrefix(path, "~/"); found {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

func (c *configFile) eachKey(node *yaml.Node, path string, visit func(name string, key, value *yaml.Node) error) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return c.wrong(key, path, "expected a plain key")
		}
		if seen[key.Value] {
			return c.wrong(key, strings.TrimPrefix(path+"."+key.Value, "."), "the key stands here twice")
		}
		seen[key.Value] = true
		if err := visit(key.Value, key, value); err != nil {
			return err
		}
	}
	return nil
}

// wrong names the file, the line, the key and what was expected.
func (c *configFile) wrong(node *yaml.Node, key, problem string) error {
	where := fmt.Sprintf("%s:%d: ", c.path, node.Line)
	if key != "" {
		where += key + ": "
	}
	if node.Kind == yaml.ScalarNode && node.Value != "" && !strings.HasSuffix(key, node.Value) {
		problem += fmt.Sprintf(", not %q", node.Value)
	}
	return usageError{message: where + problem, hint: "correct the file; the keys are explained in docs/configuration.md"}
}

// checkProfileName keeps names to what can stand in a file, a command line and
// a message without quoting.
func checkProfileName(name string) error {
	for _, r := range name {
		if r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return errors.New("expected a name of letters, digits, '-', '_' and '.'")
		}
	}
	if name == "" || len(name) > 64 || strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") {
		return errors.New("expected a name of at most 64 letters, digits, '-', '_' and '.', that starts with a letter or a digit")
	}
	return nil
}

// nearest finds the key that was probably meant.
func nearest(name string, known []setting) string {
	best, bestDistance := "", 3
	for _, s := range known {
		if d := distance(name, s.key); d < bestDistance {
			best, bestDistance = s.key, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
