// Command termpicture runs a command and draws what it prints, as a terminal
// would show it, as an SVG picture:
//
//	go run ./internal/termpicture -o docs/demo.svg -title 'make demo' -- go run ./internal/demo -brief -color always
//
// The text stays text: it can be selected, searched and read aloud, and needs
// no font of its own.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
)

func main() { os.Exit(run()) }

func run() int {
	out := flag.String("o", "", "the file to write; empty: stdout")
	title := flag.String("title", "", "the window's title; empty: the command")
	columns := flag.Int("columns", 100, "the terminal's width; longer lines are wrapped")
	flag.Parse()
	if flag.NArg() == 0 || *columns < 20 || *columns > 500 {
		fmt.Fprintln(os.Stderr, "usage: termpicture [-o FILE] [-title TEXT] [-columns 20…500] -- COMMAND [ARGUMENT…]")
		return 2
	}
	command := exec.Command(flag.Arg(0), flag.Args()[1:]...) //nolint:noctx // ends with its terminal
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	if err := command.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "termpicture: %s: %v\n%s", flag.Arg(0), err, printed.Bytes())
		return 1
	}
	if *title == "" {
		*title = command.String()
	}
	svg := draw(picture{Title: *title, Columns: *columns, Lines: wrap(parse(printed.String()), *columns)})
	if *out == "" {
		_, _ = os.Stdout.Write(svg)
		return 0
	}
	if err := os.WriteFile(*out, svg, 0o644); err != nil { //nolint:gosec // a picture for everyone
		fmt.Fprintln(os.Stderr, "termpicture:", err)
		return 1
	}
	return 0
}
