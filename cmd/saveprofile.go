package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// editConfig changes the file and keeps what else stands in it, comments and
// order included. The change is written only if the result is still a valid
// configuration.
func editConfig(path string, change func(root *yaml.Node) error) error {
	return rewriteConfig(path, func(data []byte) ([]byte, error) { return changeNodes(data, change) })
}

// changeNodes changes the text by its nodes.
func changeNodes(data []byte, change func(root *yaml.Node) error) ([]byte, error) {
	root, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		root = &yaml.Node{Kind: yaml.MappingNode}
	}
	if err := change(root); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

// rewriteConfig is editConfig for a change of the text. Lines that end as on
// Windows still do so after it; the change itself sees plain ones.
func rewriteConfig(path string, change func(data []byte) ([]byte, error)) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	windows := bytes.Contains(data, []byte("\r\n"))
	out, err := change(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))
	if err != nil {
		return err
	}
	if err := (&configFile{path: path, profiles: map[string]values{}}).parse(out); err != nil {
		return err
	}
	if windows {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	if bytes.Equal(data, out) {
		return nil
	}
	// A symbolic link, as dotfile managers make them, stays one.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return cache.WriteFileAtomic(path, out, 0o600)
}

// saveProfile sets keys of a profile and makes the first profile the default.
func saveProfile(path, name string, changed map[string]any) error {
	return editConfig(path, func(root *yaml.Node) error {
		profiles := child(root, "profiles")
		first := len(profiles.Content) == 0
		profile := child(profiles, name)
		for _, s := range settings() {
			value, ok := changed[s.key]
			if !ok {
				continue
			}
			node := profile
			keys := strings.Split(s.key, ".")
			for _, key := range keys[:len(keys)-1] {
				node = child(node, key)
			}
			var encoded yaml.Node
			if err := encoded.Encode(typed(value)); err != nil {
				return err
			}
			if s.shape == list {
				encoded.Style = yaml.FlowStyle
			}
			set(node, keys[len(keys)-1], &encoded)
		}
		if first && lookup(root, "default_profile") == nil {
			var encoded yaml.Node
			if err := encoded.Encode(name); err != nil {
				return err
			}
			// On top, where people look for it.
			key := &yaml.Node{Kind: yaml.ScalarNode, Value: "default_profile"}
			root.Content = append([]*yaml.Node{key, &encoded}, root.Content...)
		}
		return nil
	})
}

// removeProfile takes a profile out of the file.
func removeProfile(path, name string) error {
	return editConfig(path, func(root *yaml.Node) error {
		if profiles := lookup(root, "profiles"); profiles != nil {
			unset(profiles, name)
		}
		if d := lookup(root, "default_profile"); d != nil && d.Value == name {
			unset(root, "default_profile")
		}
		return nil
	})
}

// typed writes true and false without quotes.
func typed(value any) any {
	switch value {
	case "true":
		return true
	case "false":
		return false
	default:
		return value
	}
}

func lookup(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// child gives the mapping below key, made if it is missing or empty.
func child(node *yaml.Node, key string) *yaml.Node {
	below := lookup(node, key)
	if below == nil {
		below = &yaml.Node{Kind: yaml.MappingNode}
		set(node, key, below)
	} else if below.Tag == "!!null" {
		*below = yaml.Node{Kind: yaml.MappingNode, HeadComment: below.HeadComment, LineComment: below.LineComment, FootComment: below.FootComment}
	}
	if len(below.Content) == 0 {
		below.Style = 0 // "{}" would make all that comes one long line
	}
	return below
}

func set(node *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			value.LineComment = node.Content[i+1].LineComment
			node.Content[i+1] = value
			return
		}
	}
	var name yaml.Node
	name.SetString(key)
	node.Content = append(node.Content, &name, value)
}

func unset(node *yaml.Node, key string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			node.Content = append(node.Content[:i], node.Content[i+2:]...)
			return
		}
	}
}
