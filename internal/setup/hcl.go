package setup

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Terraform's CLI configuration is HCL of the first version. It is read only as
// far as it takes to find the blocks at its top level, so that everything else
// in the file stays as it is.

// hclBlock is a block, KIND "LABEL" { … }, from its first byte to behind its
// closing brace.
type hclBlock struct {
	kind, label string
	start, end  int
	inner       []hclToken
}

// hclToken is a word or a number ('w'), a string with its content ('s'), or one
// of {}[]=, which is its own kind.
type hclToken struct {
	kind       byte
	text       string
	start, end int
}

var errHCL = errors.New("it can't be read as HCL")

// hclBlocks gives the blocks at the top level.
func hclBlocks(data []byte) ([]hclBlock, error) {
	tokens, err := hclTokens(data)
	if err != nil {
		return nil, err
	}
	var blocks []hclBlock
	for i := 0; i < len(tokens); {
		if tokens[i].kind == ',' { // HCL allows it between items
			i++
			continue
		}
		first := i
		for i < len(tokens) && (tokens[i].kind == 'w' || tokens[i].kind == 's') {
			i++
		}
		if i == first || i == len(tokens) || tokens[i].kind != '{' && tokens[i].kind != '=' {
			return nil, errHCL
		}
		isBlock := tokens[i].kind == '{'
		if !isBlock {
			i++
		}
		end := hclValue(tokens, i)
		if end < 0 {
			return nil, errHCL
		}
		if isBlock {
			b := hclBlock{kind: tokens[first].text, start: tokens[first].start, end: tokens[end-1].end, inner: tokens[i+1 : end-1]}
			if i > first+1 {
				b.label = tokens[first+1].text
			}
			blocks = append(blocks, b)
		}
		i = end
	}
	return blocks, nil
}

// hclValue gives the index behind the value that begins at i, -1 if it has no
// end.
func hclValue(tokens []hclToken, i int) int {
	var open []byte
	for ; i < len(tokens); i++ {
		switch k := tokens[i].kind; k {
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != k {
				return -1
			}
			open = open[:len(open)-1]
		case '=', ',':
			if len(open) == 0 {
				return -1
			}
		}
		if len(open) == 0 {
			return i + 1
		}
	}
	return -1
}

// strings gives the list of strings that the block has under the key.
func (b hclBlock) strings(key string) (list []string, ok bool) {
	for i := 0; i+2 < len(b.inner); i++ {
		if b.inner[i].text != key || b.inner[i+1].kind != '=' || b.inner[i+2].kind != '[' {
			continue
		}
		for _, t := range b.inner[i+3:] {
			switch t.kind {
			case 's':
				list = append(list, t.text)
			case ',':
			case ']':
				return list, true
			default:
				return nil, false
			}
		}
	}
	return nil, false
}

func hclTokens(data []byte) ([]hclToken, error) {
	var tokens []hclToken
	i := 0
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		i = len("\ufeff")
	}
	for i < len(data) {
		rest := data[i:]
		var end int
		t := hclToken{kind: rest[0], start: i}
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
			continue
		case c == '#' || bytes.HasPrefix(rest, []byte("//")):
			i += untilAfter(rest, "\n")
			continue
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				return nil, errHCL
			}
			i += 2 + n + 2
			continue
		case c == '{' || c == '}' || c == '[' || c == ']' || c == '=' || c == ',':
			end = 1
		case c == '"':
			if end = hclString(rest); end < 0 {
				return nil, errHCL
			}
			t.kind, t.text = 's', hclUnquote(string(rest[:end]))
		case bytes.HasPrefix(rest, []byte("<<")):
			if end = hclHeredoc(rest); end < 0 {
				return nil, errHCL
			}
			t.kind = 's'
		default:
			end = bytes.IndexAny(rest, " \t\r\n{}[]=,\"#")
			if end < 0 {
				end = len(rest)
			}
			t.kind, t.text = 'w', string(rest[:end])
		}
		i += end
		t.end = i
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// untilAfter is the length up to the end of what is looked for, or of the data.
func untilAfter(data []byte, what string) int {
	if n := bytes.Index(data, []byte(what)); n >= 0 {
		return n + len(what)
	}
	return len(data)
}

// hclString is the length of the string at the beginning, -1 if it has no end.
// Within ${ } quotes are part of the expression.
func hclString(data []byte) int {
	braces := 0
	for i := 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\' && braces == 0:
			i++
		case c == '\n' && braces == 0:
			return -1
		case c == '"' && braces == 0:
			return i + 1
		case c == '{' && (braces > 0 || data[i-1] == '$'):
			braces++
		case c == '}' && braces > 0:
			braces--
		}
	}
	return -1
}

func hclUnquote(s string) string {
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return s[1 : len(s)-1]
}

// hclHeredoc is the length of <<NAME, lines, NAME, with the last line's end
// left out; -1 if it has no end.
func hclHeredoc(data []byte) int {
	n := untilAfter(data, "\n")
	name := strings.TrimPrefix(strings.TrimRight(string(data[2:n]), "\r\n"), "-")
	if name == "" || strings.ContainsAny(name, " \t\"{}") {
		return -1
	}
	for n < len(data) {
		next := n + untilAfter(data[n:], "\n")
		line := string(data[n:next])
		if strings.TrimSpace(line) == name {
			return n + len(strings.TrimRight(line, "\r\n"))
		}
		n = next
	}
	return -1
}
