package cache

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// leftoverAge is from when on a temporary file has been left by a process that
// was killed. A live one exists for moments.
const leftoverAge = time.Hour

const tempSuffix = ".tmp"

// WriteFileAtomic replaces the file at path, or makes it: who reads it, or the
// machine after a crash at any moment, finds either what was there or data,
// never a part. perm is before the umask. The folder must exist.
func WriteFileAtomic(path string, data []byte, perm fs.FileMode) error {
	// Through os.Root the same code works on Windows, where os.Rename does not
	// replace a file that somebody has open but os.Root's does.
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	temp := tempName(name)
	err = writeSynced(root, temp, data, perm)
	if err == nil {
		err = persistently(func() error { return root.Rename(temp, name) })
	}
	if err != nil {
		_ = root.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	syncDir(root)
	return nil
}

// writeSynced writes a new file and waits until it is on the disk: a rename
// may otherwise be there before the data after a power cut.
func writeSynced(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// tempName is in the same folder, since a rename does not cross file systems.
func tempName(name string) string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	return "." + name + "." + hex.EncodeToString(random[:]) + tempSuffix
}

// persistently repeats what fails only because somebody has the file open, for
// about two seconds. Such failures exist on Windows alone. It tries often
// rather than long: readers that come one after another leave short gaps.
func persistently(f func() error) error {
	var err error
	wait := time.Millisecond
	for range 120 {
		if err = f(); err == nil || !fileInUse(err) {
			return err
		}
		time.Sleep(wait)
		wait = min(2*wait, 16*time.Millisecond)
	}
	return err
}

// sweep removes temporary files older than before. Failing is no harm: the
// next one tries again.
func sweep(dir string, before time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), tempSuffix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// shred removes a file and overwrites its data, as far as the file system
// writes in place. It is renamed first, so that it is gone at once or not at
// all.
func shred(path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := filepath.Base(path)
	temp := tempName(name)
	err = persistently(func() error { return root.Rename(name, temp) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	syncDir(root)
	overwrite(root, temp)
	if err := persistently(func() error { return root.Remove(temp) }); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

func overwrite(root *os.Root, name string) {
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		_, _ = io.CopyN(f, rand.Reader, min(info.Size(), maxFile))
		_ = f.Sync()
	}
	_ = f.Close()
}

// ensureDir makes a folder that only its owner may look into.
func ensureDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 {
		// Where this fails, the files' own mode still protects them.
		_ = os.Chmod(dir, 0o700) //nolint:gosec // a folder needs its x bit
	}
	return nil
}

// readLimited reads a file of ours. A missing one is [ErrNotFound], one that
// is too large [ErrCorrupt].
func readLimited(path string) ([]byte, error) {
	f, err := openShared(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// Most files fit into the first buffer, which saves the calls of growing.
	data := make([]byte, 0, 16<<10)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case len(data) > maxFile:
			return nil, fmt.Errorf("%s: %w: it is too large", path, ErrCorrupt)
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}
