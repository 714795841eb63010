package setup

import (
	"bytes"
	"strings"
	"testing"
)

func (h *toolHome) gcp(g GCP, change func(*Common)) error {
	var out bytes.Buffer
	g.Common = h.common(&out)
	if change != nil {
		change(&g.Common)
	}
	err := g.Run(h.t.Context())
	h.last = out.String()
	return err
}

func TestSetupGCP(t *testing.T) {
	const pool = "//iam.googleapis.com/locations/global/workforcePools/pool/providers/corp"
	const file = ".config/gcloud/oidc-cred-work.json"
	h := newToolHome(t)
	if err := h.gcp(GCP{Audience: pool, UserProject: "billed"}, show); err != nil || h.read(file) != "(none)" || !strings.Contains(h.last, `"workforce_pool_user_project": "billed"`) {
		t.Fatalf("print: %v, %q", err, h.last)
	}
	if err := h.gcp(GCP{Audience: pool, UserProject: "billed"}, nil); err != nil {
		t.Fatal(err)
	}
	want := `{
  "type": "external_account",
  "universe_domain": "googleapis.com",
  "audience": "` + pool + `",
  "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
  "token_url": "https://sts.googleapis.com/v1/token",
  "token_info_url": "https://sts.googleapis.com/v1/introspect",
  "workforce_pool_user_project": "billed",
  "credential_source": {
    "executable": {
      "command": "` + strings.ReplaceAll(h.path("bin/oidc-cred"), `\`, `\\`) + ` helper gcp --profile work",
      "timeout_millis": 30000
    }
  }
}
`
	if got := h.read(file); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if err := h.gcp(GCP{Audience: strings.TrimPrefix(pool, "//iam.googleapis.com/"), UserProject: "billed"}, nil); err != nil || !strings.Contains(h.last, "nothing to change") {
		t.Errorf("again: %v, %q", err, h.last)
	}
	if err := h.gcp(GCP{Audience: pool, ServiceAccount: "a@p.iam.gserviceaccount.com", Access: true}, nil); err != nil {
		t.Fatal(err)
	}
	got := h.read(file)
	for _, part := range []string{`serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken"`, "token-type:jwt", "helper gcp --profile work --type access"} {
		if !strings.Contains(got, part) {
			t.Errorf("changed, it has no %s:\n%s", part, got)
		}
	}
	if strings.Contains(got, "workforce") && strings.Contains(got, "billed") {
		t.Errorf("changed, it still has the project:\n%s", got)
	}
	var out bytes.Buffer
	if entries, err := gcpEntries(h.common(&out)); err != nil || len(entries) != 1 || entries[0].Profile != "work" {
		t.Errorf("entries %v, %v", entries, err)
	}
	// What somebody has added stays.
	for _, words := range []string{" --type access --offline", " --offline --type access"} {
		kept := strings.Replace(strings.Replace(got, " --type access", words, 1), "30000", "60000,\n      \"output_file\": \"/tmp/x\"", 1)
		h.write(file, kept)
		if err := h.gcp(GCP{Audience: pool, ServiceAccount: "a@p.iam.gserviceaccount.com", Access: true}, nil); err != nil || h.read(file) != kept || !strings.Contains(h.last, "nothing to change") {
			t.Errorf("added to: %v, %q\n%s", err, h.last, h.read(file))
		}
		if err := h.gcp(GCP{Audience: pool}, show); err != nil || !strings.Contains(h.last, "helper gcp --profile work --offline\"") || !strings.Contains(h.last, "60000") {
			t.Errorf("shown, it is\n%s", h.last)
		}
	}
	if err := h.gcp(GCP{}, remove); err != nil || h.read(file) != "(none)" {
		t.Errorf("removed: %v", err)
	}
	for _, url := range []string{"http://sts.example.com/v1/token", "sts.example.com"} {
		if err := h.gcp(GCP{Audience: pool, TokenURL: url}, nil); err == nil || !isUsage(err) || h.read(file) != "(none)" {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := h.gcp(GCP{Audience: pool, TokenURL: "http://127.0.0.1:1/token"}, show); err != nil {
		t.Error(err)
	}
	h.write(file, `{"type":"external_account","credential_source":{"file":"/x"}}`)
	for name, g := range map[string]GCP{"not oidc-cred's": {Audience: pool}, "is no audience": {Audience: "pool"}, "is no service account": {Audience: pool, ServiceAccount: "x"}} {
		if err := h.gcp(g, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", g, err)
		}
	}
	if err := h.gcp(GCP{}, remove); err == nil {
		t.Error("another's file is removed")
	}
	if err := h.gcp(GCP{Audience: pool}, func(c *Common) { c.Config = "/tmp/my conf" }); err == nil || !strings.Contains(err.Error(), "blanks") {
		t.Errorf("a blank: %v", err)
	}
}
