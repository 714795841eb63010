package cache

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func init() {
	// Replaces the file for ever, by contents of one byte value each.
	children["write"] = func() error {
		for i := 0; ; i++ {
			if err := WriteFileAtomic(os.Getenv("OIDC_CRED_TEST_FILE"), pattern(byte(i)), 0o600); err != nil {
				return err
			}
		}
	}
	// Refreshes, signs out and in for ever, under a file keychain.
	children["session"] = func() error {
		ctx := context.Background()
		s, err := crashStore(os.Getenv("OIDC_CRED_TEST_DIR"))
		for i := 0; err == nil; i++ {
			switch {
			case i%7 == 6:
				err = s.Destroy(ctx, testID, nil)
			case i%7 == 0:
				err = s.Create(ctx, testID, pattern(byte(i)), []byte("{}"))
			default:
				err = s.Save(ctx, testID, pattern(byte(i)), []byte("{}"))
			}
		}
		return err
	}
}

func pattern(b byte) []byte { return bytes.Repeat([]byte{b}, 3000+37*int(b)) }

func isPattern(data []byte) bool { return len(data) > 0 && bytes.Equal(data, pattern(data[0])) }

func crashStore(dir string) (*Store, error) {
	k, err := OpenKeychain(KeychainOptions{Backend: File, Dir: filepath.Join(dir, "keys"), Passphrase: passphrase(longPassphrase)})
	return New(Options{Dir: dir, Keychain: k}), err
}

// killLater lets a child work for a while and ends it without warning.
func killLater(t *testing.T, name, variable string, after time.Duration) {
	t.Helper()
	cmd := child(t, name)
	cmd.Env = append(cmd.Env, variable)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if stderr.Len() != 0 {
		t.Fatal(stderr.String())
	}
}

// TestWriteCrash: a writer killed at any moment leaves a whole file.
func TestWriteCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := WriteFileAtomic(path, pattern(0), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		killLater(t, "write", "OIDC_CRED_TEST_FILE="+path, time.Duration(20+7*i)*time.Millisecond)
		data, err := os.ReadFile(path) //nolint:gosec // a test's file
		if err != nil || !isPattern(data) {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
	}
}

// TestSessionCrash: a process killed in the middle of signing in, refreshing
// or signing out leaves a whole session or none, and the next sign-in works.
func TestSessionCrash(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for i := range 20 {
		killLater(t, "session", "OIDC_CRED_TEST_DIR="+dir, time.Duration(20+11*i)*time.Millisecond)
		s, err := crashStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := s.Load(ctx, testID)
		if err == nil && !isPattern(payload) || err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatalf("%d bytes, %v", len(payload), err)
		}
		release, ok, err := s.TryLock(testID)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		release()
	}
	s, err := crashStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(ctx, testID, pattern(1), nil); err != nil {
		t.Fatal(err)
	}
	if payload, err := s.Load(ctx, testID); err != nil || !isPattern(payload) {
		t.Fatalf("%d bytes, %v", len(payload), err)
	}
}

func TestWriteFileAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "", "three"} {
		if err := WriteFileAtomic(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text { //nolint:gosec // a test's file
			t.Errorf("%q, %v", got, err)
		}
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info.Mode(), err)
		}
	}
	missing := filepath.Join(dir, "none", "file")
	if err := WriteFileAtomic(missing, nil, 0o600); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, "none")) {
		t.Error(err)
	}
	// A folder in the file's place can't be replaced, and nothing is left.
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFileAtomic(filepath.Join(dir, "folder"), []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Error(err)
	}
	if names := files(t, dir); len(names) != 2 {
		t.Errorf("left %v", names)
	}
	t.Chdir(dir)
	if err := WriteFileAtomic("bare", []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
}

func TestShred(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("secret data"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A second name shows what became of the data.
	if err := os.Link(path, filepath.Join(dir, "link")); err != nil {
		t.Skip("no hard links here")
	}
	for range 2 {
		if err := shred(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "link")) //nolint:gosec // a test's file
	if err != nil || len(got) != len("secret data") || bytes.Contains(got, []byte("secret")) {
		t.Errorf("%q, %v", got, err)
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left %v", names)
	}
	if err := shred(filepath.Join(dir, "none", "file")); err != nil {
		t.Error(err)
	}
}
