package helper

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// refusalCounts is how long a token is not given again to a server that refused
// it. It is as long as a session waits before it refreshes a token that was
// itself got for a refused one.
const refusalCounts = time.Minute

// noteRefusal remembers that the server refused the token: a client may ask
// again and again for as long as it is answered, as git-lfs does, while there
// is no other token to be had. A note is an empty file; without a folder for
// it, or if it can't be written, nothing is remembered.
func (t *Target) noteRefusal(server Server, token string, now time.Time) {
	if t.Notes == "" {
		return
	}
	old, _ := filepath.Glob(filepath.Join(t.Notes, refusalPrefix+"*"))
	for _, path := range old {
		if !recent(path, now) {
			_ = os.Remove(path)
		}
	}
	if err := os.MkdirAll(t.Notes, 0o700); err != nil {
		return
	}
	path := t.refusalNote(server, token)
	if os.WriteFile(path, nil, 0o600) == nil {
		_ = os.Chtimes(path, now, now)
	}
}

// refusedLately says whether the server has refused this very token within the
// last minute.
func (t *Target) refusedLately(server Server, token string, now time.Time) bool {
	return t.Notes != "" && recent(t.refusalNote(server, token), now)
}

const refusalPrefix = "refused-"

// refusalNote is the note's name. A part of a hash tells nothing of the token.
func (t *Target) refusalNote(server Server, token string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(server.Scheme+"://"+server.Host) + "\x00" + token))
	return filepath.Join(t.Notes, refusalPrefix+hex.EncodeToString(sum[:12]))
}

func recent(path string, now time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && now.Sub(info.ModTime()).Abs() < refusalCounts
}
