package setup

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func (h *toolHome) vault(change func(*Common)) error {
	var out bytes.Buffer
	common := h.common(&out)
	if change != nil {
		change(&common)
	}
	err := Vault{Common: common, Address: "https://vault.example.com"}.Run(h.t.Context())
	h.last = out.String()
	return err
}

func TestSetupVaultPlainHTTP(t *testing.T) {
	h := newToolHome(t)
	var out bytes.Buffer
	for address, ok := range map[string]bool{"http://vault.example.com": false, "http://127.0.0.1:8200": true, "http://localhost:8200": true} {
		err := Vault{Common: h.common(&out), Address: address}.Run(t.Context())
		if (err == nil) != ok || err != nil && !isUsage(err) || (h.read(".vault") != "(none)") != ok {
			t.Errorf("%s: %v", address, err)
		}
		if err := (Vault{Common: h.common(&out), Address: address}).remove(h.path(".vault")); err != nil {
			t.Error(err)
		}
		_ = os.Remove(h.path(".vault"))
	}
}

func TestSetupVault(t *testing.T) {
	h := newToolHome(t)
	const before = "# mine\n"
	h.write(".vault", before)
	if err := h.vault(show); err != nil || h.read(".vault") != before || !strings.Contains(h.last, `token_helper = "`) {
		t.Fatalf("print: %v, %q", err, h.last)
	}
	if err := h.vault(nil); err != nil {
		t.Fatal(err)
	}
	want := before + vaultLine(h.path("bin/"+linkName("oidc-cred-vault"))) + "\n"
	if got := h.read(".vault"); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if err := h.vault(nil); err != nil || h.read(".vault") != want || !strings.Contains(h.last, "nothing to change") {
		t.Errorf("again: %v, %q", err, h.last)
	}
	var out bytes.Buffer
	if entries, err := vaultEntries(h.common(&out)); err != nil || len(entries) != 1 {
		t.Errorf("entries %v, %v", entries, err)
	}
	if err := h.vault(remove); err != nil || h.read(".vault") != before {
		t.Errorf("removed: %v\n%s", err, h.read(".vault"))
	}
	for _, kept := range []string{`{"token_helper":"/x"}`, "{", "token_helper = \"x\nfoo", "token_helper =\n  \"/x\"\n"} {
		h.write(".vault", kept)
		if err := h.vault(nil); err == nil || !isUsage(err) || h.read(".vault") != kept || h.read("bin/"+linkName("oidc-cred-vault")) != "(none)" {
			t.Errorf("%s: %v\n%s", kept, err, h.read(".vault"))
		}
	}
	ours, err := json.Marshal(map[string]string{"token_helper": h.path("bin/" + linkName("oidc-cred-vault"))})
	if err != nil {
		t.Fatal(err)
	}
	h.write(".vault", string(ours))
	if err := h.vault(nil); err != nil || h.read(".vault") != string(ours) {
		t.Errorf("ours in JSON: %v\n%s", err, h.read(".vault"))
	}
	if entries, err := vaultEntries(h.common(&out)); err != nil || len(entries) != 1 {
		t.Errorf("entries in JSON %v, %v", entries, err)
	}
	if err := h.vault(remove); err == nil || !isUsage(err) {
		t.Errorf("ours in JSON is removed: %v", err)
	}
	h.write(".vault", "token_helper = \"/usr/bin/vault-ssh\"\n")
	if err := h.vault(nil); err == nil || !strings.Contains(err.Error(), "/usr/bin/vault-ssh") {
		t.Errorf("another helper: %v", err)
	}
	h.write(".vault", "token_helper = \"\"\n")
	if err := h.vault(nil); err != nil || strings.Count(h.read(".vault"), "token_helper") != 1 {
		t.Errorf("the default one: %v\n%s", err, h.read(".vault"))
	}
}
