package setup

import (
	"slices"
	"strings"
)

// The INI files of other tools are edited by lines: the AWS tools' and pip's
// have sections, .npmrc and go's env file have none. A line that begins with a
// blank belongs to the key above, but where there are no sections.

// iniLine is one line with its end, and what it is.
type iniLine struct {
	text    string
	section string
	// key is "" for a header, a comment, a blank line and the rest of a value.
	key    string
	value  string
	header bool
	// more: it goes on with the value above.
	more bool
}

func (l iniLine) blank() bool { return !l.header && l.key == "" && strings.TrimSpace(l.text) == "" }

func readINI(data []byte) []iniLine {
	var lines []iniLine
	section := ""
	inKey := false
	for text := range strings.Lines(string(data)) {
		l := iniLine{text: text, section: section}
		trimmed := strings.TrimSpace(text)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && strings.Contains(trimmed, "]"):
			name, _, _ := strings.Cut(trimmed[1:], "]")
			section = strings.TrimSpace(name)
			l.section, l.header, inKey = section, true, false
		case section != "" && (text[0] == ' ' || text[0] == '\t') && inKey:
			l.more = true
		default:
			key, value, _ := strings.Cut(trimmed, "=")
			l.key, l.value, inKey = strings.TrimSpace(key), strings.TrimSpace(value), true
		}
		lines = append(lines, l)
	}
	return lines
}

func joinINI(lines []iniLine) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return []byte(b.String())
}

// findINI is the last line with the key, which is the one that counts.
func findINI(lines []iniLine, section, key string) int {
	for i, l := range slices.Backward(lines) {
		if l.section == section && l.key == key {
			return i
		}
	}
	return -1
}

// iniGet gives the key's value; section "" is before any header.
func iniGet(data []byte, section, key string) (string, bool) {
	lines := readINI(data)
	i := findINI(lines, section, key)
	if i < 0 {
		return "", false
	}
	return lines[i].value, true
}

// iniSections are the names of the sections, in order.
func iniSections(data []byte) []string {
	var names []string
	for _, l := range readINI(data) {
		if l.header && !slices.Contains(names, l.section) {
			names = append(names, l.section)
		}
	}
	return names
}

// iniSet sets the key, which with its section is made where it is missing. A
// value has one line.
func iniSet(data []byte, section, key, value string) []byte {
	lines := readINI(data)
	eol := "\n"
	if strings.Contains(string(data), "\r\n") {
		eol = "\r\n"
	}
	if i := findINI(lines, section, key); i >= 0 {
		if lines[i].value == value && (i+1 == len(lines) || !lines[i+1].more) {
			return data
		}
		before, after, found := strings.Cut(lines[i].text, "=")
		if !found {
			before = strings.TrimRight(before, "\r\n")
		}
		space := after[:len(after)-len(strings.TrimLeft(after, " \t"))]
		lines[i].text = before + "=" + space + value + lineEnd(lines[i].text)
		end := i + 1
		for end < len(lines) && lines[end].more {
			end++
		}
		return joinINI(slices.Delete(lines, i+1, end))
	}
	equals := equalsOf(lines, section)
	line := iniLine{text: key + equals + value + eol}
	at, known := endOfSection(lines, section)
	if at > 0 && lineEnd(lines[at-1].text) == "" {
		lines[at-1].text += eol
	}
	if known {
		return joinINI(slices.Insert(lines, at, line))
	}
	head := "[" + section + "]" + eol
	if at > 0 && !lines[at-1].blank() {
		head = eol + head
	}
	return joinINI(slices.Insert(lines, at, iniLine{text: head}, line))
}

// equalsOf is how the section's keys have their sign of equality, or the file's.
func equalsOf(lines []iniLine, section string) string {
	if section == "" {
		return "="
	}
	wide := []bool{}
	for _, l := range lines {
		if l.key == "" || !strings.Contains(l.text, "=") {
			continue
		}
		spaced := strings.Contains(l.text, " =")
		if l.section == section {
			wide = []bool{spaced}
			break
		}
		wide = append(wide, spaced)
	}
	if len(wide) > 0 && !wide[0] {
		return "="
	}
	return " = "
}

// endOfSection is where a new key of the section goes: behind its last line
// that is not blank. known: the section is there.
func endOfSection(lines []iniLine, section string) (at int, known bool) {
	for i, l := range lines {
		if l.section == section && !l.blank() && (l.header || l.key != "" || l.more || section == "") {
			at, known = i+1, true
		}
	}
	if section == "" {
		return at, true
	}
	if !known {
		at = len(lines)
	}
	return at, known
}

// iniUnset removes the key, and its section if nothing else is in it.
func iniUnset(data []byte, section, key string) []byte {
	lines := readINI(data)
	i := findINI(lines, section, key)
	if i < 0 {
		return data
	}
	for ; i >= 0; i = findINI(lines, section, key) {
		end := i + 1
		for end < len(lines) && lines[end].more {
			end++
		}
		lines = slices.Delete(lines, i, end)
	}
	if section == "" {
		return joinINI(lines)
	}
	for i := 0; i < len(lines); i++ {
		if !lines[i].header || lines[i].section != section {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end].blank() {
			end++
		}
		if end < len(lines) && !lines[end].header {
			continue // something is left in it
		}
		if end == len(lines) { // the blank line that was put before it goes too
			for i > 0 && lines[i-1].blank() {
				i--
			}
		}
		lines = slices.Delete(lines, i, end)
		i--
	}
	return joinINI(lines)
}

func lineEnd(text string) string {
	switch {
	case strings.HasSuffix(text, "\r\n"):
		return "\r\n"
	case strings.HasSuffix(text, "\n"):
		return "\n"
	default:
		return ""
	}
}
