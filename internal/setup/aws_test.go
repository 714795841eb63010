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
		"twice":                 {"[profile work]\nx = 1\n[profile \"work\"]\ny = 1\n", AWS{}, "has profile work twice"},
		"plain http":            {"", AWS{Arguments: []string{"--role-arn", "x", "--endpoint-url", "http://sts.example.com"}}, "over plain http"},
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

func TestSetupAWSQuoted(t *testing.T) {
	for _, section := range []string{`[profile "work"]`, `[profile 'work']`, `[profile   work]`, "[profile\twork]", `[profile w"or"k]`} {
		h := newToolHome(t)
		before := "[default]\nregion = x\n\n" + section + "\nregion = eu-west-3\n\n[profile \"z\"]\nrole_arn = x\n"
		h.write(".aws/config", before)
		if err := h.aws(AWS{}); err != nil {
			t.Errorf("%s: %v", section, err)
		}
		got := h.read(".aws/config")
		if !strings.Contains(got, section+"\nregion = eu-west-3\ncredential_process = ") || strings.Count(got, "[") != 3 {
			t.Errorf("%s: the file is\n%s", section, got)
		}
		if err := h.aws(AWS{}); err != nil || h.read(".aws/config") != got || !strings.Contains(h.last, "nothing to change") {
			t.Errorf("%s again: %v\n%s", section, err, h.read(".aws/config"))
		}
		var out bytes.Buffer
		if entries, err := awsEntries(h.common(&out)); err != nil || len(entries) != 1 {
			t.Errorf("%s: entries %v, %v", section, entries, err)
		}
		if err := h.aws(AWS{Common: Common{Remove: true}}); err != nil || h.read(".aws/config") != before {
			t.Errorf("%s removed: %v\n%s", section, err, h.read(".aws/config"))
		}
		if err := h.aws(AWS{Name: "z"}); err == nil || !strings.Contains(err.Error(), "by role_arn already") {
			t.Errorf("%s: a role: %v", section, err)
		}
	}
	h := newToolHome(t)
	h.write(".aws/config", "[profile default]\nregion = x\n")
	if err := h.aws(AWS{Name: "default"}); err != nil || strings.Count(h.read(".aws/config"), "[") != 1 {
		t.Errorf("default: %v\n%s", err, h.read(".aws/config"))
	}
}

func TestSetupAWSKeepsSwitches(t *testing.T) {
	h := newToolHome(t)
	if err := h.aws(AWS{}); err != nil {
		t.Fatal(err)
	}
	fresh := h.read(".aws/config")
	for _, kept := range []string{strings.Replace(fresh, "eu-central-1\n", "eu-central-1 --offline\n", 1), strings.Replace(fresh, " --role-arn", " --no-offline   --role-arn", 1)} {
		h.write(".aws/config", kept)
		if err := h.aws(AWS{}); err != nil || h.read(".aws/config") != kept || !strings.Contains(h.last, "nothing to change") {
			t.Errorf("%v, %q\n%s", err, h.last, h.read(".aws/config"))
		}
	}
	if err := h.aws(AWS{Arguments: []string{"--role-arn", "arn:aws:iam::1:role/other"}}); err != nil || !strings.HasSuffix(h.read(".aws/config"), "role/other --no-offline\n") {
		t.Errorf("another role: %v\n%s", err, h.read(".aws/config"))
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
