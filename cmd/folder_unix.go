//go:build unix

package cmd

import (
	"os"
	"syscall"
)

// ours says whether a file in the folder is to be minded: anybody may put one
// into a folder such as /tmp, and choose another profile for whoever works
// there. Root, as in a container whose files belong to somebody outside, minds
// others' files too, but in such a folder.
func ours(info os.FileInfo, folder string) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	me, owner := os.Geteuid(), int(stat.Uid)
	if owner == me || owner == 0 {
		return true
	}
	if me != 0 {
		return false
	}
	in, err := os.Stat(folder)
	return err == nil && in.Mode().Perm()&0o002 == 0
}
