package setup

import "strings"

// plainInShell are the characters, beside letters and digits, that mean
// nothing to a POSIX shell.
const plainInShell = "/._-+:@,"

// shellWord escapes a word for the shell that git runs helpers with. It uses
// backslashes and no quotes, since git takes a helper for a path only if it
// begins like one (gitcredentials(7)).
func shellWord(s string) string {
	var b strings.Builder
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80
		if !letter && !strings.ContainsRune(plainInShell, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// shellWords takes a command apart, as far as needed to recognise one of ours:
// blanks, backslashes and both kinds of quotes. It is nil for a command that
// ends within a quote.
func shellWords(s string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	in, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			in, quote = true, r
		case r == ' ' || r == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil
	}
	if in {
		words = append(words, word.String())
	}
	return words
}
