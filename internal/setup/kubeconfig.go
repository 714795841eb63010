package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// maxKubeconfig bounds what is read.
const maxKubeconfig = 32 << 20

// kubeconfig is the file as YAML nodes, which keep comments and order.
type kubeconfig struct {
	path string
	doc  *yaml.Node
	root *yaml.Node // the document's mapping
	// indent and compact are the file's own layout: kubectl writes a list at
	// its key's column.
	indent  int
	compact bool
	changed bool
}

func newKubeconfig(path string) *kubeconfig {
	root := encode(map[string]string{})
	root.Style = 0
	setScalar(root, "apiVersion", "v1")
	setScalar(root, "kind", "Config")
	doc := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{root}}
	return &kubeconfig{path: path, doc: doc, root: root, indent: 2, compact: true}
}

// readKubeconfig reads the file; one that is missing or empty is a new one.
func readKubeconfig(path string) (*kubeconfig, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKubeconfig(path), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if info.Size() > maxKubeconfig {
		return nil, usage("", "the kubeconfig %s is larger than %d bytes", path, maxKubeconfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return parseKubeconfig(path, data)
}

func parseKubeconfig(path string, data []byte) (*kubeconfig, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return newKubeconfig(path), nil
	case err != nil:
		return nil, &Error{Message: "the kubeconfig " + path + " is not valid YAML", Advice: correctFirst, Usage: true, Err: err}
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, usage("", "the kubeconfig %s holds more than one YAML document", path)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return newKubeconfig(path), nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, usage(correctFirst, "the kubeconfig %s is no YAML mapping", path)
	}
	c := &kubeconfig{path: path, doc: &doc, root: root, indent: 2, compact: true}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch key.Value {
		case "users", "contexts", "clusters":
			null := value.Kind == yaml.ScalarNode && value.Tag == "!!null"
			if value.Kind != yaml.SequenceNode && !null {
				return nil, usage(correctFirst, "%s in the kubeconfig %s is no list", key.Value, path)
			}
		}
		if value.Style&yaml.FlowStyle != 0 || len(value.Content) == 0 {
			continue
		}
		switch value.Kind {
		case yaml.SequenceNode:
			c.compact = value.Column == key.Column
			if !c.compact {
				c.indent = min(max(value.Column-key.Column, 2), 8)
			}
		case yaml.MappingNode:
			c.indent = min(max(value.Content[0].Column-key.Column, 2), 8)
		}
	}
	return c, nil
}

func (c *kubeconfig) encode() ([]byte, error) {
	var buf bytes.Buffer
	e := yaml.NewEncoder(&buf)
	e.SetIndent(c.indent)
	if c.compact {
		e.CompactSeqIndent()
	}
	if err := errors.Join(e.Encode(c.doc), e.Close()); err != nil {
		return nil, fmt.Errorf("encode the kubeconfig: %w", err)
	}
	// The encoder has its blind spots (anchors on flow lists, for one): what
	// does not read back as the same is not written.
	var back yaml.Node
	if err := yaml.Unmarshal(buf.Bytes(), &back); err != nil || !same(c.doc, &back) {
		return nil, &Error{
			Message: "the kubeconfig " + c.path + " is written in a way that can't be changed without harm",
			Advice:  "add the entries by hand; --print shows them",
			Usage:   true, Err: err,
		}
	}
	return buf.Bytes(), nil
}

// editKubeconfig reads the file under kubectl's lock and writes it back if it
// was changed. A symbolic link stays one: its target is replaced.
func editKubeconfig(path string, common Common, edit func(*kubeconfig) error) (err error) {
	if target, lerr := filepath.EvalSymlinks(path); lerr == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the kubeconfig's folder: %w", err)
	}
	unlock, err := lockKubeconfig(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	c, err := readKubeconfig(path)
	if err != nil {
		return err
	}
	files, whole := common.readCreated(), true
	if exists(path) {
		old, err := readFile(path)
		if err != nil {
			return err
		}
		whole = files.whole(path, old)
	}
	if err := edit(c); err != nil || !c.changed {
		return err
	}
	if whole && c.blank() && exists(path) {
		common.noteCreated(files, path, "")
		return os.Remove(path)
	}
	data, err := c.encode()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	saved := ""
	if !whole {
		if saved, err = backup(path); err != nil {
			return fmt.Errorf("keep a copy of %s: %w", path, err)
		}
	}
	if err := cache.WriteFileAtomic(path, data, mode); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil { // the umask may have narrowed it
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	if whole {
		common.noteCreated(files, path, digest(data))
	} else {
		common.noteCreated(files, path, "")
	}
	if saved == "" {
		return nil
	}
	return common.say("the former configuration is kept in %s", saved)
}

// blank says whether nothing is left but what every kubeconfig has.
func (c *kubeconfig) blank() bool {
	for i := 0; i+1 < len(c.root.Content); i += 2 {
		key, value := c.root.Content[i].Value, c.root.Content[i+1]
		if key != "apiVersion" && key != "kind" && (value.Value != "" && value.Tag != "!!null" || len(value.Content) > 0) {
			return false
		}
	}
	return true
}

// lockKubeconfig takes the lock that kubectl config takes: a file beside the
// kubeconfig that must not be there.
func lockKubeconfig(path string) (unlock func() error, err error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0)
	if errors.Is(err, fs.ErrExist) {
		return nil, &Error{
			Message: "the kubeconfig " + path + " is being changed by another program",
			Advice:  "try again; if nothing else runs, a program was stopped while it wrote: remove " + name,
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the kubeconfig: %w", err)
	}
	return func() error { return errors.Join(f.Close(), os.Remove(name)) }, nil
}

// entry is the list's item of that name, or nil.
func (c *kubeconfig) entry(list, name string) *yaml.Node {
	for _, item := range c.items(list) {
		if scalar(item, "name") == name {
			return item
		}
	}
	return nil
}

func (c *kubeconfig) items(list string) []*yaml.Node {
	if seq := get(c.root, list); seq != nil && seq.Kind == yaml.SequenceNode {
		return seq.Content
	}
	return nil
}

func (c *kubeconfig) names(list string) []string {
	var names []string
	for _, item := range c.items(list) {
		names = append(names, scalar(item, "name"))
	}
	return names
}

// add appends {name: name, key: body} to the list, in kubectl's order.
func (c *kubeconfig) add(list, name, key string, body any) {
	item := &yaml.Node{Kind: yaml.MappingNode}
	set(item, key, encode(body))
	setScalar(item, "name", name)
	seq := get(c.root, list)
	if seq == nil || seq.Kind != yaml.SequenceNode {
		seq = &yaml.Node{Kind: yaml.SequenceNode}
		set(c.root, list, seq)
	}
	if len(seq.Content) == 0 {
		seq.Style = 0 // users: []
	}
	seq.Content = append(seq.Content, item)
	c.changed = true
}

func (c *kubeconfig) remove(list, name string) {
	seq := get(c.root, list)
	for i, item := range c.items(list) {
		if scalar(item, "name") == name {
			seq.Content = append(seq.Content[:i:i], seq.Content[i+1:]...)
			c.changed = true
			return
		}
	}
}

// contextOf is the first context that joins the two; namespace "" is any.
func (c *kubeconfig) contextOf(cluster, user, namespace string) string {
	for _, item := range c.items("contexts") {
		body := get(item, "context")
		if scalar(body, "cluster") == cluster && scalar(body, "user") == user && (namespace == "" || scalar(body, "namespace") == namespace) {
			return scalar(item, "name")
		}
	}
	return ""
}

func (c *kubeconfig) contextsOf(user string) []string {
	var names []string
	for _, item := range c.items("contexts") {
		if scalar(get(item, "context"), "user") == user {
			names = append(names, scalar(item, "name"))
		}
	}
	return names
}
