package oidcflow

import (
	"strings"
	"unicode/utf8"
)

// maxText is how much of a server's text is shown.
const maxText = 300

// Clean makes text that a server sent fit to be shown on a terminal: without
// control characters (C0, DEL, C1), terminal escape sequences, characters that
// reorder or hide text, line breaks or broken UTF-8, on one line and cut to
// 300 characters.
func Clean(s string) string {
	var b strings.Builder
	n := 0
	for len(s) > 0 && n <= maxText {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			s = s[1:]
			continue
		case r == 0x1b:
			s = s[escapeLength(s[size:])+size:]
			continue
		case r == 0x9b: // the one-character form of ESC [
			s = s[size+controlLength(s[size:]):]
			continue
		}
		s = s[size:]
		if blank(r) {
			r = ' '
		}
		if hidden(r) || r == ' ' && b.Len() == 0 {
			continue
		}
		b.WriteRune(r)
		n++
	}
	text := strings.TrimRight(b.String(), " ")
	if utf8.RuneCountInString(text) <= maxText {
		return text
	}
	runes := []rune(text)
	return strings.TrimRight(string(runes[:maxText-1]), " ") + "…"
}

// blank says whether r separates words, so that it becomes a space.
func blank(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// hidden says whether r shows as nothing, moves the cursor or changes the
// order of what follows.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL, C1
		return true
	case r == 0x00ad, r == 0x061c, r == 0x180e: // soft hyphen, Arabic letter mark, Mongolian vowel separator
		return true
	case r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff: // zero width space, marks of direction, byte order mark
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f: // overrides and isolates of direction, invisible operators
		return true
	case r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f: // interlinear annotations, tags
		return true
	}
	return false
}

// escapeLength is how long the escape sequence is (ECMA-48) whose ESC stands
// before s.
func escapeLength(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == '[':
		return 1 + controlLength(s[1:])
	case c == ']', c == 'P', c == 'X', c == '^', c == '_': // OSC, DCS, SOS, PM, APC: up to BEL or ST
		for i := 1; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b {
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2
				}
				return i
			}
		}
		return len(s)
	case c >= 0x20 && c <= 0x2f: // intermediates and a final
		i := 1
		for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
			i++
		}
		if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
			i++
		}
		return i
	case c >= 0x30 && c <= 0x7e:
		return 1
	}
	return 0
}

// controlLength is how long the rest of a control sequence is: parameters,
// intermediates and the final character.
func controlLength(s string) int {
	i := 0
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		i++
	}
	return i
}
