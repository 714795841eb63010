package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is how a character looks: a colour from 1 (red) to 6 (cyan), 0 the
// usual one.
type style struct {
	Color       int
	Bold, Faint bool
}

// textRun is text of one style; a line is some of them.
type textRun struct {
	Text  string
	Style style
}

type line []textRun

// parse reads text with the escape sequences of ECMA-48 §5.4: colours are kept
// and everything else is dropped. Tabs become spaces.
func parse(text string) []line {
	var lines []line
	var now line
	var look style
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for text != "" {
		if rest, code, ok := escape(text); ok {
			text = rest
			if code != "" {
				look = look.with(code)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '\n':
			lines, now = append(lines, now), nil
		case r == '\t':
			now = now.add(strings.Repeat(" ", 8-now.width()%8), look)
		case unicode.IsGraphic(r):
			now = now.add(string(r), look)
		}
	}
	return append(lines, now)
}

// escape takes a control sequence off the front of text. code has the
// parameters if it sets the rendition (SGR), and then ends with 'm'.
func escape(text string) (rest, code string, ok bool) {
	if !strings.HasPrefix(text, "\x1b[") {
		return text, "", false
	}
	for i, r := range text[2:] {
		if r >= '@' && r <= '~' { // the final byte
			if r == 'm' {
				code = text[2 : 2+i+1]
			}
			return text[2+i+1:], code, true
		}
	}
	return "", "", true
}

// with is the style after SGR parameters, ECMA-48 §8.3.117.
func (s style) with(code string) style {
	for p := range strings.SplitSeq(strings.TrimSuffix(code, "m"), ";") {
		n, _ := strconv.Atoi(p) // an empty one is 0
		switch {
		case n == 0:
			s = style{}
		case n == 1:
			s.Bold = true
		case n == 2:
			s.Faint = true
		case n == 22:
			s.Bold, s.Faint = false, false
		case n >= 30 && n <= 37:
			s.Color = (n - 30) % 7 // white is the usual colour
		case n >= 90 && n <= 97:
			s.Color = (n - 90) % 7
		case n == 39:
			s.Color = 0
		}
	}
	return s
}

func (l line) add(text string, s style) line {
	if n := len(l); n > 0 && l[n-1].Style == s {
		l[n-1].Text += text
		return l
	}
	return append(l, textRun{text, s})
}

func (l line) width() int {
	n := 0
	for _, r := range l {
		n += len([]rune(r.Text))
	}
	return n
}

// wrap breaks lines at the terminal's width, as a terminal does.
func wrap(lines []line, columns int) []line {
	var wrapped []line
	for _, l := range lines {
		for l.width() > columns {
			var head line
			left := columns
			for left > 0 {
				text := []rune(l[0].Text)
				n := min(left, len(text))
				head = append(head, textRun{string(text[:n]), l[0].Style})
				left -= n
				if n == len(text) {
					l = l[1:]
				} else {
					l = append(line{{string(text[n:]), l[0].Style}}, slices.Clone(l[1:])...)
				}
			}
			wrapped = append(wrapped, head)
		}
		wrapped = append(wrapped, l)
	}
	return wrapped
}
