//go:build !windows

package cache

import "os"

func fileInUse(error) bool { return false }

// syncDir makes a rename outlast a power cut. Some file systems can't.
func syncDir(root *os.Root) {
	if d, err := root.Open("."); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
