package setup

import "debug/buildinfo"

// isCopy says whether the file is some version of this program, under whatever
// name: a copy may be from before an update.
func isCopy(path string) bool {
	mine, err := buildinfo.ReadFile(path)
	return err == nil && mine.Path == "github.com/oidc-cred/oidc-cred"
}
