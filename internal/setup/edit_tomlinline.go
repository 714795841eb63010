package setup

import (
	"bytes"
	"slices"
	"strings"
)

// A table may be written in one line, corp = { index = "…" }, or with dotted
// keys, registries.corp.index = "…". Neither can have a header as well, so a
// new key goes where the others stand.

// tomlMember is one key of an inline table.
type tomlMember struct {
	key                         []string
	start, valueStart, valueEnd int
}

// inlineTable reads the inline table whose brace is at the place.
func inlineTable(data []byte, at int) (members []tomlMember) {
	s := tomlScanner{data: data, at: at + 1}
	for {
		s.blanks(" \t\r\n,")
		if s.at >= len(data) || data[s.at] == '}' {
			return members
		}
		m := tomlMember{start: s.at}
		m.key = s.keys()
		s.blanks("= \t")
		m.valueStart = s.at
		s.inlineValue()
		m.valueEnd = s.at
		if m.valueEnd <= m.start {
			return members // it is none
		}
		members = append(members, m)
	}
}

// inlineValue goes behind a value, which a comma or a brace ends.
func (s *tomlScanner) inlineValue() {
	start, depth := s.at, 0
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"' || c == '\'':
			s.text()
			continue
		case c == '#':
			s.line()
			continue
		case depth == 0 && (c == ',' || c == '}'):
			s.at = start + len(bytes.TrimRight(s.data[start:s.at], " \t\r\n"))
			return
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		s.at++
	}
	s.at = min(s.at, len(s.data))
}

// setBeside sets the path where its table is written inline or dotted, and says
// whether it is.
func setBeside(data []byte, statements []tomlStatement, path []string, raw, eol string) ([]byte, bool) {
	last := -1
	for i, st := range statements {
		if st.key == nil || st.array {
			continue
		}
		if at, rest, ok := inlineBelow(data, st, path); ok {
			return setInline(data, at, rest, raw), true
		}
		if n := len(path) - 1; len(st.table) < n && len(st.path()) > n && slices.Equal(st.path()[:n], path[:n]) {
			last = i
		}
	}
	if last < 0 {
		return nil, false
	}
	st := statements[last]
	text := data[st.start:st.end]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	line := string(indent) + tomlKey(path[len(st.table):]) + " = " + raw + eol
	if !bytes.HasSuffix(text, []byte("\n")) {
		line = eol + line
	}
	return splice(data, st.end, st.end, []byte(line)), true
}

// inlineBelow is the place of the statement's inline table, if that is one on
// the path, and what is left of the path in it.
func inlineBelow(data []byte, st tomlStatement, path []string) (at int, rest []string, ok bool) {
	n := len(st.path())
	if st.key == nil || st.array || n >= len(path) || !slices.Equal(st.path(), path[:n]) || st.valueStart >= len(data) || data[st.valueStart] != '{' {
		return 0, nil, false
	}
	return st.valueStart, path[n:], true
}

// setInline sets the path in the inline table at the place. A comment behind
// the value would take the rest of the line with it, so it is left out.
func setInline(data []byte, at int, path []string, raw string) []byte {
	value := raw
	if st := readTOML([]byte("v = " + raw)); len(st) == 1 {
		value = ("v = " + raw)[st[0].valueStart:st[0].valueEnd]
	}
	members := inlineTable(data, at)
	for _, m := range members {
		switch n := len(m.key); {
		case slices.Equal(m.key, path):
			return splice(data, m.valueStart, m.valueEnd, []byte(value))
		case n > 0 && n < len(path) && slices.Equal(m.key, path[:n]) && data[m.valueStart] == '{':
			return setInline(data, m.valueStart, path[n:], raw)
		}
	}
	text := tomlKey(path) + " = " + value
	if len(members) == 0 {
		end := at + 1 + max(0, bytes.IndexByte(data[at+1:], '}'))
		return splice(data, at+1, end, []byte(" "+text+" "))
	}
	end := members[len(members)-1].valueEnd
	return splice(data, end, end, []byte(", "+text))
}

// unsetInline removes the path from the inline table at the place.
func unsetInline(data []byte, at int, path []string) ([]byte, bool) {
	members := inlineTable(data, at)
	for i, m := range members {
		switch n := len(m.key); {
		case n > 0 && n < len(path) && slices.Equal(m.key, path[:n]) && data[m.valueStart] == '{':
			return unsetInline(data, m.valueStart, path[n:])
		case !slices.Equal(m.key, path):
		case i > 0:
			return splice(data, members[i-1].valueEnd, m.valueEnd, nil), true
		case len(members) > 1:
			return splice(data, m.start, members[1].start, nil), true
		default:
			return splice(data, m.start, m.valueEnd, nil), true
		}
	}
	return nil, false
}

// tomlKey writes a dotted key.
func tomlKey(path []string) string {
	bare := func(r rune) bool {
		return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	parts := make([]string, 0, len(path))
	for _, p := range path {
		if p == "" || strings.ContainsFunc(p, func(r rune) bool { return !bare(r) }) {
			p = tomlString(p)
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".")
}
