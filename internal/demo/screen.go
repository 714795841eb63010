package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// screen is where the story is told.
type screen struct {
	w     io.Writer
	color bool
}

// newScreen decides once whether there is colour: https://no-color.org.
func newScreen(file *os.File, color string) *screen {
	s := &screen{w: file, color: color == "always"}
	if color == "auto" {
		s.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
	}
	return s
}

// mode is what the shown program gets with --color.
func (s *screen) mode() string {
	if s.color {
		return "always"
	}
	return "never"
}

const (
	bold      = "1"
	faint     = "2"
	green     = "32"
	cyan      = "36"
	boldGreen = bold + ";" + green
	boldCyan  = bold + ";" + cyan
)

func (s *screen) in(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) title(number int, text string) {
	fmt.Fprintln(s.w, s.in(boldCyan, fmt.Sprintf("# %d. %s", number, text)))
}

func (s *screen) note(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(s.w, s.in(cyan, "# "+line))
	}
}

// aside is what neither a person nor the program says.
func (s *screen) aside(text string) { fmt.Fprintln(s.w, s.in(faint, text)) }

func (s *screen) command(line string) {
	fmt.Fprintln(s.w, s.in(boldGreen, "$")+" "+s.in(bold, line))
}

func (s *screen) output(text string) { fmt.Fprint(s.w, text) }
