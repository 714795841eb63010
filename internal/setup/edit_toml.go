package setup

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// TOML is edited as text, statement by statement, so that comments and order
// stay. What came of it is read again and compared, since a value may stand
// where this editor does not look, such as in a list of tables.

// tomlStatement is a header or a key with its value.
type tomlStatement struct {
	// table is the header's name, or that of the header above.
	table []string
	// key is nil for a header; array: it is one of [[a list]].
	key   []string
	array bool
	// start to end are the statement's lines.
	start, end int
	// valueStart to valueEnd are the value.
	valueStart, valueEnd int
}

func (s tomlStatement) path() []string { return slices.Concat(s.table, s.key) }

// tomlScanner goes through text that is known to be TOML.
type tomlScanner struct {
	data []byte
	at   int
}

func readTOML(data []byte) []tomlStatement {
	s := tomlScanner{data: data}
	var all []tomlStatement
	var table []string
	array := false
	for s.at < len(data) {
		start := s.at
		s.blanks(" \t\r")
		switch {
		case s.at >= len(data):
		case data[s.at] == '\n', data[s.at] == '#':
			s.line()
		case data[s.at] == '[':
			s.at++
			array = s.at < len(data) && data[s.at] == '['
			if array {
				s.at++
			}
			table = s.keys()
			s.line()
			all = append(all, tomlStatement{table: table, array: array, start: start, end: s.at})
		default:
			st := tomlStatement{table: table, array: array, start: start, key: s.keys()}
			s.blanks("= \t")
			st.valueStart = s.at
			s.value()
			st.valueEnd = s.at
			s.line()
			st.end = s.at
			all = append(all, st)
		}
	}
	return all
}

func (s *tomlScanner) blanks(set string) {
	for s.at < len(s.data) && strings.IndexByte(set, s.data[s.at]) >= 0 {
		s.at++
	}
}

// line goes behind the line's end.
func (s *tomlScanner) line() {
	if n := bytes.IndexByte(s.data[s.at:], '\n'); n >= 0 {
		s.at += n + 1
	} else {
		s.at = len(s.data)
	}
}

// keys reads a dotted key, up to what ends it.
func (s *tomlScanner) keys() []string {
	parts := []string{}
	for s.at < len(s.data) {
		s.blanks(" \t.")
		if s.at >= len(s.data) || strings.IndexByte("=]\r\n#", s.data[s.at]) >= 0 {
			break
		}
		start := s.at
		if c := s.data[s.at]; c == '"' || c == '\'' {
			s.text()
			parts = append(parts, tomlText(s.data[start:s.at]))
			continue
		}
		for s.at < len(s.data) && strings.IndexByte(" \t.=]\r\n#", s.data[s.at]) < 0 {
			s.at++
		}
		parts = append(parts, string(s.data[start:s.at]))
	}
	return parts
}

// text goes behind a string of one of the four kinds.
func (s *tomlScanner) text() {
	quote := s.data[s.at : s.at+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(s.data[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.data) {
		switch {
		case s.data[s.at] == '\\' && quote[0] == '"':
			s.at += 2
		case bytes.HasPrefix(s.data[s.at:], quote):
			s.at += len(quote)
			// A long string may end in quotes of its own, before the three.
			for len(quote) == 3 && s.at < len(s.data) && s.data[s.at] == quote[0] {
				s.at++
			}
			return
		default:
			s.at++
		}
	}
	s.at = len(s.data)
}

// value goes behind a value: to the line's end or a comment, outside of
// brackets and strings.
func (s *tomlScanner) value() {
	depth := 0
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"' || c == '\'':
			s.text()
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case depth == 0 && (c == '\n' || c == '#'):
			for s.at > 0 && strings.IndexByte(" \t\r", s.data[s.at-1]) >= 0 {
				s.at--
			}
			return
		case c == '#': // a comment within a list
			s.line()
			continue
		}
		s.at++
	}
	s.at = min(s.at, len(s.data))
	s.at = len(bytes.TrimRight(s.data[:s.at], " \t\r"))
}

// tomlText is the content of a quoted key.
func tomlText(quoted []byte) string {
	var doc struct{ K string }
	if toml.Unmarshal(slices.Concat([]byte("k = "), quoted), &doc) != nil {
		return string(quoted)
	}
	return doc.K
}

func parseTOML(data []byte) (map[string]any, error) {
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, &Error{Message: "it is not valid TOML", Advice: correctFirst, Usage: true, Err: err}
	}
	return tree, nil
}

// tomlPath is the path of a key: table is a header's text, "" for none.
func tomlPath(table, key string) []string {
	s := tomlScanner{data: []byte(table)}
	path := s.keys()
	s = tomlScanner{data: []byte(key)}
	return append(path, s.keys()...)
}

// findTOML is the statement of the path, outside of lists of tables.
func findTOML(statements []tomlStatement, path []string) (tomlStatement, bool) {
	for _, st := range statements {
		if st.key != nil && !st.array && slices.Equal(st.path(), path) {
			return st, true
		}
	}
	return tomlStatement{}, false
}

// tomlGet gives the value as it is written. table and key are as they stand in
// the file: registries.my-reg, "a b".
func tomlGet(data []byte, table, key string) (raw string, found bool, err error) {
	tree, err := parseTOML(data)
	if err != nil {
		return "", false, err
	}
	path := tomlPath(table, key)
	if st, ok := findTOML(readTOML(data), path); ok {
		return string(data[st.valueStart:st.valueEnd]), true, nil
	}
	value, ok := treeGet(tree, path)
	if !ok {
		return "", false, nil
	}
	inline, err := inlineTOML(value)
	return inline, true, err
}

func inlineTOML(value any) (string, error) {
	text, err := toml.Marshal(struct {
		V any `toml:"v,inline"`
	}{value})
	return strings.TrimPrefix(strings.TrimSpace(string(text)), "v = "), err
}

func treeGet(tree map[string]any, path []string) (any, bool) {
	var at any = tree
	for _, key := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = m[key]; !ok {
			return nil, false
		}
	}
	return at, true
}

// errTOMLHarm is why a file is left alone.
func errTOMLHarm(path []string) error {
	return usage("change it by hand; --print shows what is to be written", "%s is written in a way that can't be changed without harm", strings.Join(path, "."))
}

// tomlSet sets the key to raw, which is TOML; the table is made where it is
// missing.
func tomlSet(data []byte, table, key, raw string) ([]byte, error) {
	want, err := parseTOML(data)
	if err != nil {
		return nil, err
	}
	var value struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+raw), &value); err != nil {
		return nil, err
	}
	path := tomlPath(table, key)
	if now, ok := treeGet(want, path); ok && reflect.DeepEqual(now, value.V) {
		return data, nil
	}
	if !treeSet(want, path, value.V) {
		return nil, errTOMLHarm(path)
	}
	return checkTOML(setTOML(data, table, key, raw), want, path)
}

func setTOML(data []byte, table, key, raw string) []byte {
	statements := readTOML(data)
	path := tomlPath(table, key)
	if st, ok := findTOML(statements, path); ok {
		return splice(data, st.valueStart, st.valueEnd, []byte(raw))
	}
	eol := "\n"
	if bytes.Contains(data, []byte("\r\n")) {
		eol = "\r\n"
	}
	if out, ok := setBeside(data, statements, path, raw, eol); ok {
		return out
	}
	line := key + " = " + raw + eol
	at, name := -1, tomlPath(table, "")
	for _, st := range statements {
		if !st.array && slices.Equal(st.table, name) {
			at = st.end
		}
	}
	switch {
	case at >= 0:
	case len(name) == 0: // before the first header
		at = 0
	default:
		at = len(data)
		line = "[" + table + "]" + eol + line
		if len(bytes.TrimSpace(data)) > 0 && !bytes.HasSuffix(data, []byte("\n"+eol)) {
			line = eol + line
		}
	}
	if at > 0 && data[at-1] != '\n' {
		line = eol + line
	}
	return splice(data, at, at, []byte(line))
}

func treeSet(tree map[string]any, path []string, value any) bool {
	for _, key := range path[:len(path)-1] {
		if tree[key] == nil {
			tree[key] = map[string]any{}
		}
		next, ok := tree[key].(map[string]any)
		if !ok {
			return false
		}
		tree = next
	}
	tree[path[len(path)-1]] = value
	return true
}

// tomlUnset removes the key, and its table if nothing else is in it.
func tomlUnset(data []byte, table, key string) ([]byte, error) {
	want, err := parseTOML(data)
	if err != nil {
		return nil, err
	}
	path := tomlPath(table, key)
	if _, ok := treeGet(want, path); !ok {
		return data, nil
	}
	st, ok := findTOML(readTOML(data), path)
	treeUnset(want, path)
	if !ok {
		return unsetBelow(data, want, path)
	}
	data = splice(data, st.start, st.end, nil)
	statements := readTOML(data)
	for i, head := range statements {
		if head.key != nil || head.array || !slices.Equal(head.table, st.table) {
			continue
		}
		next := len(data)
		if i+1 < len(statements) {
			if statements[i+1].key != nil {
				break
			}
			next = statements[i+1].start
		}
		if len(bytes.TrimSpace(data[head.end:next])) > 0 {
			break // a comment
		}
		start := head.start
		if next == len(data) { // the blank line that was put before it goes too
			for start > 0 && bytes.HasSuffix(data[:start], []byte("\n\n")) {
				start--
			}
		}
		data = splice(data, start, next, nil)
		break
	}
	return checkTOML(data, want, path)
}

// unsetBelow is tomlUnset for a key in an inline table, which itself stays.
func unsetBelow(data []byte, want map[string]any, path []string) ([]byte, error) {
	for _, st := range readTOML(data) {
		if at, rest, ok := inlineBelow(data, st, path); ok {
			if out, ok := unsetInline(data, at, rest); ok {
				return checkTOML(out, want, path)
			}
		}
	}
	return nil, errTOMLHarm(path)
}

func treeUnset(tree map[string]any, path []string) {
	if next, ok := tree[path[0]].(map[string]any); ok && len(path) > 1 {
		treeUnset(next, path[1:])
		return
	}
	delete(tree, path[0])
}

// checkTOML sees to it that the text says what it should, empty tables aside.
func checkTOML(data []byte, want map[string]any, path []string) ([]byte, error) {
	got, err := parseTOML(data)
	if err != nil {
		return nil, errTOMLHarm(path)
	}
	prune(got)
	prune(want)
	if !reflect.DeepEqual(got, want) {
		return nil, errTOMLHarm(path)
	}
	return data, nil
}

func prune(tree map[string]any) {
	for key, value := range tree {
		if m, ok := value.(map[string]any); ok {
			if prune(m); len(m) == 0 {
				delete(tree, key)
			}
		}
	}
}
