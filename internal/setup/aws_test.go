package setup

import (
	"bytes"
	"strings"
	"testing"
)

const awsBefore = `# mine
[default]
region = eu-central-1   ; home
output=json

[profile other]
role_arn = arn:aws:iam::1:role/x
source_profile = default
`

func (h *toolHome) aws(t AWS) error {
	var out bytes.Buffer
	common := h.common(&out)
	common.Print, common.Remove = t.Print, t.Remove
	if t.Config != "" {
		common.Config = t.Config
	}
	t.Common = common
	if t.Arguments == nil {
		t.Arguments = []string{"--role-arn", "arn:aws:iam::1:role/dev", "--region", "eu-central-1"}
	}
	err := t.Run(h.t.Context())
	h.last = out.String()
	return err
}

func TestSetupAWS(t *testing.T) {
	h := newToolHome(t)
	h.write(".aws/config", awsBefore)
	if err := h.aws(AWS{Common: Common{Print: true}}); err != nil || h.read(".aws/config") != awsBefore || !strings.Contains(h.last, "[profile work]\ncredential_process = ") {
		t.Fatalf("print: %v, %q", err, h.last)
	}
	if err := h.aws(AWS{}); err != nil {
		t.Fatal(err)
	}
	want := awsBefore + "\n[profile work]\ncredential_process = " + h.path("bin/oidc-cred") + " helper aws --profile work --role-arn arn:aws:iam::1:role/dev --region eu-central-1\n"
	if got := h.read(".aws/config"); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if h.read(".aws/config.oidc-cred.bak") != awsBefore || !strings.Contains(h.last, "aws sts get-caller-identity --profile work") {
		t.Errorf("said %q", h.last)
	}
	if err := h.aws(AWS{}); err != nil || h.read(".aws/config") != want || !strings.Contains(h.last, "nothing to change") {
		t.Errorf("again: %v, %q", err, h.last)
	}
	var out bytes.Buffer
	entries, err := awsEntries(h.common(&out))
	if err != nil || len(entries) != 1 || entries[0].Host != "sts.eu-central-1.amazonaws.com" || entries[0].Profile != "work" {
		t.Errorf("entries %v, %v", entries, err)
	}
	if err := h.aws(AWS{Common: Common{Remove: true, Print: true}}); err != nil || h.read(".aws/config") != want || !strings.Contains(h.last, "would remove") {
		t.Errorf("would remove: %v, %q", err, h.last)
	}
	if err := h.aws(AWS{Common: Common{Remove: true}}); err != nil || h.read(".aws/config") != awsBefore {
		t.Errorf("removed: %v\n%s", err, h.read(".aws/config"))
	}
	if err := h.aws(AWS{Common: Common{Remove: true}}); err != nil || !strings.Contains(h.last, "nothing to remove") {
		t.Errorf("removed again: %v, %q", err, h.last)
	}
	// The AWS tools' own default profile.
	if err := h.aws(AWS{Name: "default"}); err != nil || !strings.Contains(h.read(".aws/config"), "output=json\ncredential_process = ") {
		t.Errorf("default: %v\n%s", err, h.read(".aws/config"))
	}
}

func TestSetupAWSRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		aws  AWS
		want string
	}{
		"another process":       {"[profile work]\ncredential_process = /bin/other x\n", AWS{}, "not oidc-cred's"},
		"another process, gone": {"[profile work]\ncredential_process = /bin/other x\n", AWS{Common: Common{Remove: true}}, "not oidc-cred's"},
		"a role already":        {"[profile work]\nrole_arn = x\n", AWS{}, "by role_arn already"},
		"a name":                {"", AWS{Name: "a]b"}, "is no name"},
		"a quote in the path":   {"", AWS{Common: Common{Config: "/tmp/a\"b"}}, "different ways"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newToolHome(t)
			h.write(".aws/config", tt.file)
			if err := h.aws(tt.aws); err == nil || !strings.Contains(err.Error(), tt.want) || h.read(".aws/config") != tt.file {
				t.Errorf("error %v, the file\n%s", err, h.read(".aws/config"))
			}
		})
	}
}

func TestSetupAWSElsewhere(t *testing.T) {
	h := newToolHome(t)
	h.env["AWS_CONFIG_FILE"] = h.path("elsewhere/config")
	h.write(".aws/credentials", "[work]\naws_access_key_id = AKIA\n")
	if err := h.aws(AWS{Common: Common{Config: h.path("my conf.yaml")}}); err != nil || !strings.Contains(h.last, "which come first") {
		t.Fatalf("%v, %q", err, h.last)
	}
	got := h.read("elsewhere/config")
	if !strings.Contains(got, ` --config "`+h.path("my conf.yaml")+`" --role-arn`) {
		t.Errorf("the file is\n%s", got)
	}
	if err := h.aws(AWS{Common: Common{Config: h.path("my conf.yaml")}}); err != nil || h.read("elsewhere/config") != got {
		t.Errorf("again: %v\n%s", err, h.read("elsewhere/config"))
	}
}
