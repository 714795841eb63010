package setup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The JSON of another tool is edited as text, so that order, layout and numbers
// stay as they are.

// jsonMember is one member of an object, by its places in the text.
type jsonMember struct {
	key                         string
	start, valueStart, valueEnd int
}

// jsonObject is an object in the text: its braces and what is between them.
type jsonObject struct {
	open, end int // end is the closing brace
	members   []jsonMember
}

// find gives the last member of that name, which is the one that counts.
func (o jsonObject) find(key string) (jsonMember, bool) {
	for _, m := range slices.Backward(o.members) {
		if m.key == key {
			return m, true
		}
	}
	return jsonMember{}, false
}

func isJSONSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func skipJSON(data []byte, at int, also byte) int {
	for at < len(data) && (isJSONSpace(data[at]) || also != 0 && data[at] == also) {
		at++
	}
	return at
}

// readJSONObject reads the object that begins at the place.
func readJSONObject(data []byte, at int) (jsonObject, error) {
	o := jsonObject{open: skipJSON(data, at, 0)}
	if o.open >= len(data) || data[o.open] != '{' {
		return o, fmt.Errorf("there is no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(data[o.open:]))
	if _, err := d.Token(); err != nil {
		return o, err
	}
	last := o.open + 1
	for d.More() {
		m := jsonMember{start: skipJSON(data, last, ',')}
		key, err := d.Token()
		if err != nil {
			return o, err
		}
		m.key, _ = key.(string)
		m.valueStart = skipJSON(data, o.open+int(d.InputOffset()), ':')
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return o, err
		}
		m.valueEnd = m.valueStart + len(bytes.TrimRight(data[m.valueStart:o.open+int(d.InputOffset())], " \t\r\n"))
		last = m.valueEnd
		o.members = append(o.members, m)
	}
	if _, err := d.Token(); err != nil {
		return o, err
	}
	o.end = o.open + int(d.InputOffset()) - 1
	return o, nil
}

// jsonObjects walks down the path and gives the objects on it, as far as they
// are there. The empty text is an empty object.
func jsonObjects(data []byte, path []string) ([]jsonObject, error) {
	if !json.Valid(data) {
		return nil, usage(correctFirst, "it is not valid JSON")
	}
	var objects []jsonObject
	at := 0
	for i := range path {
		o, err := readJSONObject(data, at)
		if err != nil {
			return nil, usage(correctFirst, "%s is no JSON object", cmp.Or(strings.Join(path[:i], "."), "its content"))
		}
		objects = append(objects, o)
		m, ok := o.find(path[i])
		if !ok || i == len(path)-1 {
			break
		}
		at = m.valueStart
	}
	return objects, nil
}

// jsonGet gives the value at the path, as it is written.
func jsonGet(data []byte, path ...string) (json.RawMessage, bool, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, false, nil
	}
	objects, err := jsonObjects(data, path)
	if err != nil || len(objects) < len(path) {
		return nil, false, err
	}
	m, ok := objects[len(objects)-1].find(path[len(path)-1])
	if !ok {
		return nil, false, nil
	}
	return data[m.valueStart:m.valueEnd], true, nil
}

// jsonSet sets the value at the path, and makes the objects that lead to it.
func jsonSet(data []byte, value any, path ...string) ([]byte, error) {
	fresh := len(bytes.TrimSpace(data)) == 0
	if fresh {
		data = []byte("{}\n")
	}
	objects, err := jsonObjects(data, path)
	if err != nil {
		return nil, err
	}
	layout := layoutOf(data)
	last := objects[len(objects)-1]
	depth := len(objects) - 1
	if m, ok := last.find(path[depth]); ok && depth == len(path)-1 {
		text, err := layout.encode(value, depth+1)
		if err != nil {
			return nil, err
		}
		if sameJSON(data[m.valueStart:m.valueEnd], text) {
			return data, nil
		}
		return splice(data, m.valueStart, m.valueEnd, text), nil
	}
	for _, key := range slices.Backward(path[depth+1:]) {
		value = map[string]any{key: value}
	}
	text, err := layout.encode(value, depth+1)
	if err != nil {
		return nil, err
	}
	key, err := layout.encode(path[depth], 0)
	if err != nil {
		return nil, err
	}
	member := slices.Concat(key, layout.colon(), text)
	if len(last.members) > 0 {
		end := last.members[len(last.members)-1].valueEnd
		between := data[last.open+1 : last.members[0].start]
		if !bytes.ContainsRune(between, '\n') {
			between = layout.gap
		}
		return splice(data, end, end, slices.Concat([]byte(","), between, member)), nil
	}
	return splice(data, last.open+1, last.end, slices.Concat(layout.newline(depth+1), member, layout.newline(depth))), nil
}

// jsonUnset removes the value at the path, and the objects that lead to it and
// become empty by that.
func jsonUnset(data []byte, path ...string) ([]byte, error) {
	if _, found, err := jsonGet(data, path...); err != nil || !found {
		return data, err
	}
	objects, err := jsonObjects(data, path)
	if err != nil {
		return nil, err
	}
	// The outermost object that has nothing but this goes as a whole.
	depth := len(objects) - 1
	for depth > 0 && len(objects[depth].members) == 1 {
		depth--
	}
	o := objects[depth]
	i := slices.IndexFunc(o.members, func(m jsonMember) bool { return m.key == path[depth] })
	switch {
	case len(o.members) == 1:
		data = splice(data, o.open+1, o.end, nil)
	case i > 0:
		data = splice(data, o.members[i-1].valueEnd, o.members[i].valueEnd, nil)
	default:
		data = splice(data, o.members[0].start, o.members[1].start, nil)
	}
	return jsonUnset(data, path...) // a name that stood there twice
}

func splice(data []byte, from, to int, with []byte) []byte {
	return slices.Concat(data[:from], with, data[to:])
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// jsonLayout is how a file is written.
type jsonLayout struct {
	indent string // of one level; "" for all in one line
	eol    string
	gap    []byte // between members in one line
}

func layoutOf(data []byte) jsonLayout {
	l := jsonLayout{indent: "\t", eol: "\n"}
	if bytes.Contains(data, []byte("\r\n")) {
		l.eol = "\r\n"
	}
	root, err := readJSONObject(data, 0)
	if err != nil || len(root.members) == 0 {
		return l
	}
	between := data[root.open+1 : root.members[0].start]
	line := bytes.LastIndexByte(between, '\n')
	l.indent = string(between[line+1:])
	if line < 0 {
		l.indent = ""
		if m := root.members[0]; m.valueStart > 0 && data[m.valueStart-1] == ' ' {
			l.gap = []byte(" ")
		}
	}
	return l
}

func (l jsonLayout) newline(depth int) []byte {
	if l.indent == "" {
		return nil
	}
	return []byte(l.eol + strings.Repeat(l.indent, depth))
}

func (l jsonLayout) colon() []byte {
	if l.indent == "" && len(l.gap) == 0 {
		return []byte(":")
	}
	return []byte(": ")
}

func (l jsonLayout) encode(value any, depth int) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if l.indent != "" {
		e.SetIndent(strings.Repeat(l.indent, depth), l.indent)
	}
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(buf.String(), "\n")
	return []byte(strings.ReplaceAll(text, "\n", l.eol)), nil
}
