package cmd

import (
	"os"

	"golang.org/x/sys/windows"
)

// takesEscapes lets a console understand escape sequences, which each program
// has to ask for, and says whether it does.
func takesEscapes(file *os.File) bool {
	console := windows.Handle(file.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return false
	}
	const escapes = windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING
	return mode&escapes != 0 || windows.SetConsoleMode(console, mode|escapes) == nil
}
