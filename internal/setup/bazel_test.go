package setup

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (h *toolHome) bazel(host string, change func(*Common)) error {
	var out bytes.Buffer
	common := h.common(&out)
	if change != nil {
		change(&common)
	}
	err := Bazel{Common: common, Host: host}.Run(h.t.Context())
	h.last = out.String()
	return err
}

func remove(c *Common) { c.Remove = true }
func show(c *Common)   { c.Print = true }

func TestSetupBazel(t *testing.T) {
	h := newToolHome(t)
	const before = "# mine\nbuild --jobs=4\ncommon --credential_helper=other.example.com=/bin/other"
	h.write(".bazelrc", before)
	if err := h.bazel("cache.example.com", show); err != nil || h.read(".bazelrc") != before || !strings.Contains(h.last, "common --credential_helper=cache.example.com=") {
		t.Fatalf("print: %v, %q", err, h.last)
	}
	if err := h.bazel("grpcs://cache.example.com:8443/x", nil); err != nil {
		t.Fatal(err)
	}
	link := h.path("bin/" + linkName("oidc-cred-bazel"))
	want := before + "\ncommon --credential_helper=cache.example.com=" + filepath.ToSlash(link) + "\n"
	if got := h.read(".bazelrc"); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Error(err)
	}
	if err := h.bazel("cache.example.com", nil); err != nil || h.read(".bazelrc") != want || !strings.Contains(h.last, "nothing to change") {
		t.Errorf("again: %v, %q", err, h.last)
	}
	if err := h.bazel("*.build.example.com", nil); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	entries, err := bazelEntries(h.common(&out))
	if err != nil || len(entries) != 2 || entries[1].Host != "*.build.example.com" {
		t.Errorf("entries %v, %v", entries, err)
	}
	if err := h.bazel("*.build.example.com", remove); err != nil || h.read(".bazelrc") != want {
		t.Errorf("one removed: %v\n%s", err, h.read(".bazelrc"))
	}
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("the link that is in use: %v", err)
	}
	if err := h.bazel("cache.example.com", remove); err != nil || h.read(".bazelrc") != before+"\n" {
		t.Errorf("removed: %v\n%s", err, h.read(".bazelrc"))
	}
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("the link is still there: %v", err)
	}
	for host, want := range map[string]string{"other.example.com": "another credential helper", "": "is no host", "a=b": "is no host"} {
		if err := h.bazel(host, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", host, err)
		}
	}
}
