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
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	root, err := parseYAML(data)
	if err != nil {
		return err
	}
	if root == nil {
		root = &yaml.Node{Kind: yaml.MappingNode}
	}
	if err := change(root); err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if err := (&configFile{path: path, profiles: map[string]values{}}).parse(out.Bytes()); err != nil {
		return err
	}
	if bytes.Equal(data, out.Bytes()) {
		return nil
	}
	// A symbolic link, as dotfile managers make them, stays one.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return cache.WriteFileAtomic(path, out.Bytes(), 0o600)
}

// saveProfile sets keys of a profile and makes the first profile the default.
func saveProfile(path, name string, changed map[string]any) error {
	return editConfig(path, func(root *yaml.Node) error {
		profiles := child(root, "profiles", yaml.MappingNode)
		first := len(profiles.Content) == 0
		profile := child(profiles, name, yaml.MappingNode)
		for _, s := range settings() {
			value, ok := changed[s.key]
			if !ok {
				continue
			}
			node := profile
			keys := strings.Split(s.key, ".")
			for _, key := range keys[:len(keys)-1] {
				node = child(node, key, yaml.MappingNode)
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

// child gives the node below key, made if it is missing or empty.
func child(node *yaml.Node, key string, kind yaml.Kind) *yaml.Node {
	below := lookup(node, key)
	if below == nil {
		below = &yaml.Node{Kind: kind}
		set(node, key, below)
	} else if below.Tag == "!!null" {
		*below = yaml.Node{Kind: kind, HeadComment: below.HeadComment, LineComment: below.LineComment, FootComment: below.FootComment}
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
