package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// created remembers the files that setup has made, path to the digest of what
// it has written last. A file that is as setup left it has nothing of anybody
// else's: it needs no copy, and goes when nothing is left in it. If the notes
// are lost, such a file is treated as one that was there.
type created map[string]string

func (c Common) readCreated() created {
	files := created{}
	if c.Created == "" {
		return files
	}
	data, err := os.ReadFile(c.Created)
	if err != nil || json.Unmarshal(data, &files) != nil {
		return created{}
	}
	return files
}

// whole says whether all that is in the file was written by setup.
func (f created) whole(path string, data []byte) bool {
	return f[path] != "" && f[path] == digest(data)
}

// noteCreated notes what the file holds now, or that it is none of setup's any
// more. What can't be noted costs a copy and an empty file later, and not the
// setup.
func (c Common) noteCreated(files created, path, sum string) {
	if c.Created == "" || files[path] == sum {
		return
	}
	files[path] = sum
	if sum == "" {
		delete(files, path)
	}
	data, err := json.MarshalIndent(files, "", "  ")
	if err != nil || os.MkdirAll(filepath.Dir(c.Created), 0o700) != nil {
		return
	}
	_ = cache.WriteFileAtomic(c.Created, append(data, '\n'), 0o600)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// nothingIn says whether a tool's configuration is empty, also as JSON.
func nothingIn(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) == 0 || string(data) == "{}"
}
