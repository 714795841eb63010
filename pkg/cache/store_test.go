package cache

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/keyring"
)

const testID = "0123456789abcdef"

// countedRing is a keychain in memory that counts what is asked of it and can
// be broken.
type countedRing struct {
	mu      sync.Mutex
	items   map[string][]byte
	gets    int
	sets    int
	removes int
	broken  error
	forgets bool
}

func (r *countedRing) Get(name string) (keyring.Item, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gets++
	data, ok := r.items[name]
	if r.broken != nil {
		return keyring.Item{}, r.broken
	}
	if !ok {
		return keyring.Item{}, keyring.ErrKeyNotFound
	}
	return keyring.Item{Data: data}, nil
}

func (r *countedRing) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

func (r *countedRing) Set(item keyring.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets++
	if r.broken != nil {
		return r.broken
	}
	if !r.forgets {
		r.items[item.Key] = slices.Clone(item.Data)
	}
	return nil
}

func (r *countedRing) Remove(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removes++
	if r.broken != nil {
		return r.broken
	}
	delete(r.items, name)
	return nil
}

func (r *countedRing) Keys() ([]string, error) { return nil, nil }

func newTestStore(t testing.TB) (*Store, *countedRing, string) {
	t.Helper()
	ring := &countedRing{items: map[string][]byte{}}
	dir := t.TempDir()
	return New(Options{Dir: dir, Keychain: fakeKeychain(KeyCtl, ring)}), ring, dir
}

// again is the store of another process.
func again(s *Store) *Store {
	return New(Options{Dir: filepath.Dir(s.dir), Keychain: s.keychain})
}

func TestStore(t *testing.T) {
	ctx := context.Background()
	s, ring, _ := newTestStore(t)
	if _, err := s.Load(ctx, testID); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if ring.gets != 0 {
		t.Error("without a file there is nothing to ask the keychain for")
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("reading made a folder")
	}
	if _, err := s.Public(testID); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if ids, err := s.IDs(); err != nil || len(ids) != 0 {
		t.Error(ids, err)
	}
	if err := s.Create(ctx, testID, []byte("first"), []byte(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, testID, []byte("second"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Public(testID); err != nil || string(got) != `{"n":1}` {
		t.Errorf("nil leaves the public copy: %q, %v", got, err)
	}
	if err := s.Save(ctx, testID, []byte("third"), []byte(`{"n":3}`)); err != nil {
		t.Fatal(err)
	}
	if ring.sets != 1 {
		t.Errorf("a refresh wrote the keychain (%d times in all)", ring.sets)
	}
	other := again(s)
	ring.gets = 0
	for range 3 {
		if got, err := other.Load(ctx, testID); err != nil || string(got) != "third" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if ring.gets != 1 {
		t.Errorf("one process read the keychain %d times", ring.gets)
	}
	if ids, err := other.IDs(); err != nil || !slices.Equal(ids, []string{testID}) {
		t.Error(ids, err)
	}
	if err := other.Destroy(ctx, testID, []byte(`{"out":true}`)); err != nil {
		t.Fatal(err)
	}
	if len(ring.items) != 0 {
		t.Error("the key is still there")
	}
	for _, store := range []*Store{other, s, again(s)} {
		if _, err := store.Load(ctx, testID); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	if got, err := s.Public(testID); err != nil || string(got) != `{"out":true}` {
		t.Errorf("%q, %v", got, err)
	}
	if err := other.Destroy(ctx, testID, nil); err != nil {
		t.Fatal(err)
	}
	if ids, err := other.IDs(); err != nil || len(ids) != 0 {
		t.Error(ids, err)
	}
}

// TestSaveRevivesNothing: a refresh that ends after a sign-out, or after
// another sign-in, changes nothing.
func TestSaveRevivesNothing(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newTestStore(t)
	if err := s.Save(ctx, testID, []byte("x"), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("never loaded: %v", err)
	}
	if err := s.Create(ctx, testID, []byte("mine"), nil); err != nil {
		t.Fatal(err)
	}
	other := again(s)
	if err := other.Destroy(ctx, testID, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, testID, []byte("late"), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("after a sign-out: %v", err)
	}
	if err := other.Create(ctx, testID, []byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, testID, []byte("late"), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("after another sign-in: %v", err)
	}
	if got, err := s.Load(ctx, testID); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.Save(ctx, testID, []byte("newer"), nil); err != nil {
		t.Error(err)
	}
}

func TestDamagedFiles(t *testing.T) {
	ctx := context.Background()
	s, ring, _ := newTestStore(t)
	for _, id := range []string{testID, "other"} {
		if err := s.Create(ctx, id, []byte("payload of "+id), nil); err != nil {
			t.Fatal(err)
		}
	}
	file := func(id string) []byte {
		b, err := os.ReadFile(filepath.Join(s.dir, id+sealedSuffix))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole, foreign := file(testID), file("other")
	if bytes.Contains(whole, []byte("payload")) {
		t.Fatal("the file can be read without its key")
	}
	flip := func(i int) []byte {
		b := slices.Clone(whole)
		b[i] ^= 1
		return b
	}
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"empty", nil, ErrCorrupt},
		{"cut off in the header", whole[:10], ErrCorrupt},
		{"cut off after the header", whole[:headerSize], ErrCorrupt},
		{"cut off in the data", whole[:len(whole)-1], ErrCorrupt},
		{"longer", append(slices.Clone(whole), 0), ErrCorrupt},
		{"another kind", flip(0), ErrCorrupt},
		{"another version", flip(len(sealMagic)), ErrCorrupt},
		{"changed nonce", flip(headerSize), ErrCorrupt},
		{"changed data", flip(headerSize + 12), ErrCorrupt},
		{"changed tag", flip(len(whole) - 1), ErrCorrupt},
		{"zeros", make([]byte, len(whole)), ErrCorrupt},
		{"too large", make([]byte, maxFile+1), ErrCorrupt},
		{"another key's", flip(len(sealMagic) + 1), ErrNotFound},
		{"another session's", foreign, ErrNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(s.dir, testID+sealedSuffix), test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, store := range []*Store{s, again(s)} {
				got, err := store.Load(ctx, testID)
				if !errors.Is(err, test.want) || got != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	// Even with the other session's key in this one's place, its file says
	// nothing under this name.
	ring.items[testID] = ring.items["other"]
	if _, err := again(s).Load(ctx, testID); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	// Signing in again mends all of it.
	if err := again(s).Create(ctx, testID, []byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(ctx, testID); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKeyTrouble(t *testing.T) {
	ctx := context.Background()
	s, ring, _ := newTestStore(t)
	if err := s.Create(ctx, testID, []byte("payload"), nil); err != nil {
		t.Fatal(err)
	}
	former := slices.Clone(ring.items[testID])

	delete(ring.items, testID)
	if _, err := again(s).Load(ctx, testID); !errors.Is(err, ErrNotFound) {
		t.Errorf("no key: %v", err)
	}
	ring.items[testID] = []byte("something else")
	_, err := again(s).Load(ctx, testID)
	wantKeychainError(t, err, KeyCtl, ProblemCorrupt)

	wrong := slices.Clone(former)
	wrong[len(wrong)-1] ^= 1
	ring.items[testID] = wrong
	if _, err := again(s).Load(ctx, testID); !errors.Is(err, ErrCorrupt) {
		t.Errorf("wrong key: %v", err)
	}
	ring.items[testID] = []byte("something else")
	if err := again(s).Create(ctx, testID, []byte("again"), nil); err != nil {
		t.Errorf("a damaged key is replaced at sign-in: %v", err)
	}

	ring.broken = &KeychainError{Problem: ProblemLocked}
	fresh := again(s)
	_, err = fresh.Load(ctx, testID)
	wantKeychainError(t, err, KeyCtl, ProblemLocked)
	err = fresh.Create(ctx, testID, []byte("x"), nil)
	wantKeychainError(t, err, KeyCtl, ProblemLocked)
	if got, err := s.Load(ctx, testID); !errors.Is(err, ErrCorrupt) && err == nil && string(got) != "again" {
		t.Errorf("%q, %v", got, err)
	}
	err = fresh.Destroy(ctx, testID, []byte("{}"))
	wantKeychainError(t, err, KeyCtl, ProblemLocked)
	if names := files(t, s.dir); slices.Contains(names, testID+sealedSuffix) {
		t.Errorf("the sealed file outlived a sign-out without the keychain: %v", names)
	}
	ring.broken, ring.forgets = nil, true
	delete(ring.items, testID)
	if err := fresh.Create(ctx, testID, []byte("x"), nil); err == nil {
		t.Error("a keychain that keeps nothing went unnoticed")
	}
	if names := files(t, s.dir); slices.Contains(names, testID+sealedSuffix) {
		t.Errorf("a file without a key was written: %v", names)
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestIDs(t *testing.T) {
	ctx := context.Background()
	s, _, dir := newTestStore(t)
	for _, id := range []string{"", ".", "..", "../x", "a/b", "A", "a.b", "a b", "ä", strings.Repeat("a", 65), "a\x00"} {
		if err := s.Create(ctx, id, nil, nil); err == nil {
			t.Errorf("%q was taken", id)
		}
		if _, err := s.Load(ctx, id); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		for _, err := range []error{s.Save(ctx, id, nil, nil), s.Destroy(ctx, id, nil), s.SavePublic(id, nil)} {
			if err == nil {
				t.Errorf("%q was taken", id)
			}
		}
		if _, err := s.Lock(ctx, id); err == nil {
			t.Errorf("%q was locked", id)
		}
	}
	if names := files(t, dir); len(names) != 0 {
		t.Errorf("left %v", names)
	}
	for _, id := range []string{"b", "a", strings.Repeat("c", 64)} {
		if err := s.Create(ctx, id, nil, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SavePublic("gone", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.lock", ".a.sealed.0011.tmp", "notes.txt", "B.json", "y.json.bak"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"a", "b", strings.Repeat("c", 64), "gone"}
	if got, err := s.IDs(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	ctx := context.Background()
	ring := &countedRing{items: map[string][]byte{}}
	dir := filepath.Join(t.TempDir(), "a", "state")
	s := New(Options{Dir: dir, Keychain: fakeKeychain(KeyCtl, ring)})
	release, err := s.Lock(ctx, testID)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := s.Create(ctx, testID, []byte("x"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for _, d := range []string{dir, s.dir} {
			if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", d, info.Mode(), err)
			}
		}
		for _, name := range files(t, s.dir) {
			if info, err := os.Stat(filepath.Join(s.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	check()
	// What was opened to others is closed at the next write.
	if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.dir, testID+sealedSuffix), 0o644); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if err := s.Save(ctx, testID, []byte("y"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	check()
}

// TestUnwritable: where nothing can be written, the error names the file, and
// what is there can still be read.
func TestUnwritable(t *testing.T) {
	ctx := context.Background()
	s, _, dir := newTestStore(t)
	// A file in place of the folder fails for everybody, also for root.
	if err := os.WriteFile(filepath.Join(dir, sessionsDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.Create(ctx, testID, []byte("x"), nil)
	if err == nil || !strings.Contains(err.Error(), s.dir) || errors.Is(err, ErrNotFound) {
		t.Errorf("create: %v", err)
	}
	if _, err := s.Lock(ctx, testID); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("lock: %v", err)
	}
	var failed *KeychainError
	if errors.As(err, &failed) {
		t.Errorf("not the keychain's fault: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("root may write everywhere, and Windows has no file modes")
	}
	ctx := context.Background()
	s, _, _ := newTestStore(t)
	if err := s.Create(ctx, testID, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.dir, 0o500); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(s.dir, 0o700) }() //nolint:gosec // so that it can be removed
	if err := s.Save(ctx, testID, []byte("y"), nil); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("save: %v", err)
	}
	if got, err := again(s).Load(ctx, testID); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSweep(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newTestStore(t)
	if err := s.Create(ctx, testID, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(s.dir, tempName(testID+sealedSuffix))
	if err := os.WriteFile(leftover, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, testID, []byte("y"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); err != nil {
		t.Error("the file of a live writer was removed")
	}
	s.now = func() time.Time { return time.Now().Add(2 * leftoverAge) }
	if err := s.Save(ctx, testID, []byte("z"), nil); err != nil {
		t.Fatal(err)
	}
	if names := files(t, s.dir); !slices.Equal(names, []string{testID + sealedSuffix}) {
		t.Errorf("left %v", names)
	}
}

// TestReaders: while one refreshes, and signs in and out, readers see a whole
// session or none.
func TestReaders(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newTestStore(t)
	payload := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 5000+i) }
	if err := s.Create(ctx, testID, payload(0), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if runtime.GOOS == "windows" {
					// Not every Windows, nor Wine, replaces a file that is open:
					// the writer needs a gap.
					time.Sleep(10 * time.Millisecond)
				}
				got, err := again(s).Load(ctx, testID)
				if errors.Is(err, ErrNotFound) {
					continue
				}
				if err != nil || len(got) < 5000 || !bytes.Equal(got, payload(len(got)-5000)) {
					t.Errorf("%d bytes, %v", len(got), err)
					return
				}
			}
		})
	}
	for i := range 100 {
		var err error
		if i%10 == 9 {
			err = errors.Join(s.Destroy(ctx, testID, nil), s.Create(ctx, testID, payload(i), []byte("{}")))
		} else {
			err = s.Save(ctx, testID, payload(i), []byte("{}"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestTooLarge(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newTestStore(t)
	if err := s.Create(ctx, testID, make([]byte, maxFile-headerSize-gcmOverhead), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(ctx, testID); err != nil || len(got) != maxFile-headerSize-gcmOverhead {
		t.Errorf("%d, %v", len(got), err)
	}
	if err := s.Save(ctx, testID, make([]byte, maxFile), nil); err == nil {
		t.Error("a payload was taken that could not be read again")
	}
}

func TestKeyIsRedacted(t *testing.T) {
	key := newSealKey()
	if text := strings.Join([]string{key.String(), key.GoString()}, ""); text != "[redacted][redacted]" {
		t.Error(text)
	}
}
