package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// fileInUse says whether a rename or removal failed because a program, a
// virus scanner or an indexer has the file open.
func fileInUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING)
}

// syncDir does nothing: NTFS keeps renames in its journal.
func syncDir(*os.Root) {}
