package cmd

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// editHost puts a host into a profile's hosts, or takes it out. Where the list
// has others, its text is changed at this place only, so that the list keeps
// its form and each comment its item; else the file is written anew. What came
// of it is read again and compared: through an anchor the list may be another
// profile's as well.
func editHost(data []byte, profile, host string, add bool) ([]byte, error) {
	root, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	want, err := wantedHosts(root, profile, host, add)
	if err != nil {
		return nil, err
	}
	if list := hostsOf(root, profile); list != nil && list.Kind == yaml.SequenceNode && list.Anchor == "" {
		if out, ok := editList(data, list, host, add); ok && says(out, want) {
			return out, nil
		}
	}
	out, err := changeNodes(data, func(root *yaml.Node) error { return setHost(root, profile, host, add) })
	if err == nil && !says(out, want) {
		err = errors.New("its hosts are written in a way that can't be changed without harm")
	}
	return out, err
}

// says: the text has this content.
func says(data []byte, want any) bool {
	var got any
	return yaml.Unmarshal(data, &got) == nil && reflect.DeepEqual(got, want)
}

// wantedHosts is the file's content with the change.
func wantedHosts(root *yaml.Node, profile, host string, add bool) (any, error) {
	if root == nil {
		root = &yaml.Node{Kind: yaml.MappingNode}
	}
	tree := map[string]any{}
	if err := root.Decode(&tree); err != nil {
		return nil, err
	}
	profiles, _ := tree["profiles"].(map[string]any)
	if _, found := profiles[profile]; !found {
		return nil, errors.New("the profile is not in the file")
	}
	p := map[string]any{}
	if old, ok := profiles[profile].(map[string]any); ok {
		p = maps.Clone(old) // an anchor's content is shared
	}
	profiles[profile] = p
	hosts, _ := p["hosts"].([]any)
	if add {
		p["hosts"] = append(slices.Clone(hosts), host)
		return tree, nil
	}
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h any) bool { return h == host })
	if p["hosts"] = hosts; len(hosts) == 0 {
		delete(p, "hosts")
	}
	return tree, nil
}

func hostsOf(root *yaml.Node, profile string) *yaml.Node {
	for _, key := range []string{"profiles", profile, "hosts"} {
		if root == nil {
			return nil
		}
		root = lookup(root, key)
	}
	return root
}

// setHost makes the change in the nodes.
func setHost(root *yaml.Node, profile, host string, add bool) error {
	p := child(child(root, "profiles"), profile)
	list := lookup(p, "hosts")
	if list == nil || list.Kind != yaml.SequenceNode { // none, empty, or another's
		fresh := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		if list != nil && list.Kind == yaml.AliasNode {
			for _, item := range list.Alias.Content {
				fresh.Content = append(fresh.Content, &yaml.Node{Kind: item.Kind, Tag: item.Tag, Value: item.Value, Style: item.Style})
			}
		}
		list = fresh
		set(p, "hosts", list)
	}
	list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool { return n.Value == host })
	if add {
		var item yaml.Node
		item.SetString(host)
		list.Content = append(list.Content, &item)
	}
	if len(list.Content) == 0 {
		unset(p, "hosts")
	}
	return nil
}

// listItem is one of a list, by its place in the text.
type listItem struct {
	value      string
	start, end int
}

// lineOf are the bounds of the line that the place is in, its end included.
func lineOf(data []byte, at int) (from, to int) {
	from = bytes.LastIndexByte(data[:at], '\n') + 1
	if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
		return from, at + n + 1
	}
	return from, len(data)
}

// editList changes the text of a list that has items and keeps one.
func editList(data []byte, list *yaml.Node, host string, add bool) ([]byte, bool) {
	var items []listItem
	for _, n := range list.Content {
		item, ok := findItem(data, n)
		if !ok {
			return nil, false
		}
		items = append(items, item)
	}
	i := slices.IndexFunc(items, func(item listItem) bool { return item.value == host })
	// As a list in brackets has it, which takes more quotes.
	word, err := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: host}}})
	flow := list.Style&yaml.FlowStyle != 0
	switch text := strings.Trim(string(word), "[]\n"); {
	case err != nil || len(items) == 0 || add == (i >= 0) || !add && len(items) == 1:
		return nil, false
	case add && flow:
		return addToFlow(data, items, text), true
	case add:
		last := items[len(items)-1]
		from, to := lineOf(data, last.start)
		return insertLine(data, to, string(data[from:last.start])+text), true
	case flow:
		return cutFromFlow(data, items, i)
	default:
		from, to := lineOf(data, items[i].start)
		return slices.Delete(slices.Clone(data), from, to), strings.TrimSpace(string(data[from:items[i].start])) == "-"
	}
}

// findItem finds a text of one line.
func findItem(data []byte, n *yaml.Node) (item listItem, ok bool) {
	at := 0
	for range n.Line - 1 {
		_, at = lineOf(data, at)
	}
	from, to := lineOf(data, at)
	line := []rune(string(data[from:to]))
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Column < 1 || n.Column > len(line) {
		return item, false
	}
	start := from + len(string(line[:n.Column-1]))
	length := len(n.Value)
	if quote := data[start]; quote == '"' || quote == '\'' {
		length = 1 + bytes.IndexByte(data[start+1:to], quote) + 1
	}
	item = listItem{value: n.Value, start: start, end: start + length}
	return item, length > 0 && item.end <= to && strings.Trim(string(data[start:item.end]), `"'`) == n.Value
}

func insertLine(data []byte, at int, line string) []byte {
	if at > 0 && data[at-1] != '\n' {
		return slices.Concat(data[:at], []byte("\n"+line), data[at:])
	}
	return slices.Concat(data[:at], []byte(line+"\n"), data[at:])
}

// aloneInLine is an item of a list in brackets that has a line of its own, with
// the comma behind it.
var aloneInLine = regexp.MustCompile(`^\s*(,?)\s*(#.*)?\s*$`)

// ownLine says whether the item has a line of its own, and a comma in it.
func ownLine(data []byte, item listItem) (comma, own bool) {
	from, to := lineOf(data, item.start)
	m := aloneInLine.FindSubmatch(data[item.end:to])
	if m == nil || len(bytes.TrimSpace(data[from:item.start])) > 0 {
		return false, false
	}
	return len(m[1]) > 0, true
}

func addToFlow(data []byte, items []listItem, text string) []byte {
	last := items[len(items)-1]
	comma, own := ownLine(data, last)
	if !own {
		return slices.Concat(data[:last.end], []byte(", "+text), data[last.end:])
	}
	from, to := lineOf(data, last.start)
	line := string(data[from:last.start]) + text
	if comma {
		return insertLine(data, to, line+",")
	}
	return slices.Insert(insertLine(data, to, line), last.end, ',')
}

func cutFromFlow(data []byte, items []listItem, i int) ([]byte, bool) {
	comma, own := ownLine(data, items[i])
	from, to := items[i].start, items[i].end
	switch {
	case own:
		from, to = lineOf(data, from)
		data = slices.Delete(slices.Clone(data), from, to)
		if i > 0 && !comma { // the last one: the comma before goes with it
			at := items[i-1].end + bytes.IndexByte(data[items[i-1].end:], ',')
			if hash := bytes.IndexByte(data[items[i-1].end:], '#'); at >= items[i-1].end && (hash < 0 || at < items[i-1].end+hash) {
				data = slices.Delete(data, at, at+1)
			}
		}
		return data, true
	case i > 0:
		from = items[i-1].end
	default:
		to = items[1].start
	}
	return slices.Delete(slices.Clone(data), from, to), !bytes.ContainsAny(data[from:to], "\n#")
}
