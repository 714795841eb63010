package setup

import (
	"runtime"
	"strings"
)

// The tests name programs by paths of a Unix system. On Windows these are no
// absolute paths: there the program is told, and shown, those with a drive.
const drive = "C:"

var programs = []string{"/opt/oidc-cred", "/a b/oidc-cred"}

func toSystem(s string) string {
	if runtime.GOOS == "windows" {
		for _, p := range programs {
			s = strings.ReplaceAll(s, p, drive+p)
		}
	}
	return s
}

func fromSystem(s string) string {
	if runtime.GOOS == "windows" {
		for _, p := range programs {
			s = strings.ReplaceAll(s, drive+p, p)
		}
	}
	return s
}
