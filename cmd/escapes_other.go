//go:build !windows

package cmd

import "os"

// takesEscapes: terminals do.
func takesEscapes(*os.File) bool { return true }
