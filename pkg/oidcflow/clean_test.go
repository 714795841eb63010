package oidcflow

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "The user said no.", "The user said no."},
		{"other scripts", "grüße 世界 🙂", "grüße 世界 🙂"},
		{"empty", "", ""},
		{"line breaks become spaces", "one\ntwo\r\nthree\tfour", "one two  three four"},
		{"spaces around", " \n a \n", "a"},
		{"colour", "\x1b[31mred\x1b[0m", "red"},
		{"cursor", "a\x1b[2J\x1b[1;1Hb", "ab"},
		{"window title", "a\x1b]0;owned\x07b", "ab"},
		{"link", "\x1b]8;;https://evil.example\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"device control", "a\x1bP1$r0m\x1b\\b", "ab"},
		{"title without end", "a\x1b]0;owned", "a"},
		{"character set", "a\x1b(0b", "ab"},
		{"reset", "a\x1bcb", "ab"},
		{"escape at the end", "a\x1b", "a"},
		{"escape twice", "a\x1b\x1b[31mb", "ab"},
		{"C1 control sequence", "a\u009b31mb", "ab"},
		{"C1", "a\u0085b\u0090c", "a bc"},
		{"bell, null, delete", "a\x07\x00\x7fb", "ab"},
		{"bidi override", "a\u202eb\u2066c\u2069d", "abcd"},
		{"line separator", "a\u2028b\u2029c", "a b c"},
		{"zero width and byte order mark", "\ufeffa\u200bb", "ab"},
		{"tags", "a\U000e0041b", "ab"},
		{"broken UTF-8", "a\xff\xc3b", "ab"},
		{"half of C1 as a byte", "a\x9b31mb", "a31mb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Clean(tc.in); got != tc.want {
				t.Errorf("Clean(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestCleanCuts(t *testing.T) {
	if got := Clean(strings.Repeat("ä", 300)); got != strings.Repeat("ä", 300) {
		t.Errorf("300 characters were cut to %d", utf8.RuneCountInString(got))
	}
	if got := Clean(strings.Repeat("ä", 301)); got != strings.Repeat("ä", 299)+"…" {
		t.Errorf("301 characters became %q", got)
	}
	if got := Clean(strings.Repeat(" x", 1<<20)); utf8.RuneCountInString(got) > 300 {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a", "\x1b[31m", "\x1b]0;x\x07", "\x1b]0;x\x1b", "\u009b1", "\u202e", "\xff", strings.Repeat("a ", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if n := utf8.RuneCountInString(got); n > 300 || !utf8.ValidString(got) {
			t.Fatalf("%d characters, valid %v", n, utf8.ValidString(got))
		}
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 {
				t.Fatalf("%U is left in %q", r, got)
			}
		}
		if again := Clean(got); again != got {
			t.Fatalf("cleaned twice: %q, once: %q", again, got)
		}
	})
}
