package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that setup has made needs no copy, and goes with the last entry.
func TestCreatedFile(t *testing.T) {
	w := newDockerWorld(t)
	w.Created = filepath.Join(w.Home, "state", "setup-files.json")
	const file = ".docker/config.json"
	bak := filepath.Join(w.Home, file+backupSuffix)
	other := func(d *Docker) { d.Host = "other.example.com" }
	remove := func(d *Docker) { d.Remove = true }
	must := func(change func(*Docker)) {
		t.Helper()
		if out, err := w.run(t, change); err != nil || strings.Contains(out, "former configuration") {
			t.Fatalf("%v\n%s", err, out)
		}
		if exists(bak) {
			t.Fatal("there is a copy of our own entries")
		}
	}
	must(nil)
	must(other)
	must(remove)
	must(func(d *Docker) { other(d); remove(d) })
	if exists(filepath.Join(w.Home, file)) {
		t.Error("an empty file is left")
	}

	// What somebody else has put there stays, with a copy of it.
	must(nil)
	w.write(t, file, strings.Replace(w.read(t, file), "{", `{"auths": {},`, 1))
	if _, err := w.run(t, remove); err != nil || !strings.Contains(w.read(t, file), "auths") || !exists(bak) {
		t.Errorf("%v: %s", err, w.read(t, file))
	}
	if err := os.Remove(bak); err != nil {
		t.Fatal(err)
	}

	// So does an empty file that was there before.
	w.write(t, file, "{}")
	if _, err := w.run(t, nil); err != nil || !exists(bak) {
		t.Error(err)
	}
	if _, err := w.run(t, remove); err != nil || w.read(t, file) != "{}" {
		t.Errorf("%v: %s", err, w.read(t, file))
	}
}

// Each tool's file goes that had nothing but its entry.
func TestCreatedFiles(t *testing.T) {
	h := newToolHome(t)
	common := h.common(nil)
	common.Created = h.path("state/files.json")
	for name, edits := range map[string][2]func([]byte) ([]byte, error){
		"terraformrc": {
			func(old []byte) ([]byte, error) { return Terraform{Common: common}.withBlock("f", old) },
			func(old []byte) ([]byte, error) { return withoutBlock("f", old) },
		},
		"npmrc": {
			func(old []byte) ([]byte, error) { return iniSet(old, "", "//h/:tokenHelper", "/x"), nil },
			func(old []byte) ([]byte, error) { return iniUnset(old, "", "//h/:tokenHelper"), nil },
		},
		"aws": {
			func(old []byte) ([]byte, error) { return iniSet(old, "profile work", awsProcess, "x"), nil },
			func(old []byte) ([]byte, error) { return iniUnset(old, "profile work", awsProcess), nil },
		},
		"cargo.toml": {
			func(old []byte) ([]byte, error) { return tomlSet(old, "registries.corp", "index", `"x"`) },
			func(old []byte) ([]byte, error) { return tomlUnset(old, "registries.corp", "index") },
		},
	} {
		for i, edit := range edits {
			if changed, err := common.editFile(h.path(name), 0o600, edit); err != nil || !changed {
				t.Errorf("%s: changed %v, %v", name, changed, err)
			}
			if there := exists(h.path(name)); there != (i == 0) || exists(h.path(name+backupSuffix)) {
				t.Errorf("%s after edit %d: there %v: %q", name, i, there, h.read(name))
			}
		}
	}
	if got := h.read("state/files.json"); strings.TrimSpace(got) != "{}" {
		t.Errorf("the notes are %s", got)
	}
}
