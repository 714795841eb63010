package setup

import (
	"bytes"
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
	h.write(".vault", "token_helper = \"/usr/bin/vault-ssh\"\n")
	if err := h.vault(nil); err == nil || !strings.Contains(err.Error(), "/usr/bin/vault-ssh") {
		t.Errorf("another helper: %v", err)
	}
	h.write(".vault", "token_helper = \"\"\n")
	if err := h.vault(nil); err != nil || strings.Count(h.read(".vault"), "token_helper") != 1 {
		t.Errorf("the default one: %v\n%s", err, h.read(".vault"))
	}
}
