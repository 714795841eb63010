package setup

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// place is a home directory with a program in it.
type place struct {
	Common
	out bytes.Buffer
	env map[string]string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{env: map[string]string{}}
	home := t.TempDir()
	program := filepath.Join(home, "opt", linkName("oidc-cred"))
	putFile(t, program, "a program")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	p.Common = Common{
		Profile: "work", Executable: program, Home: home, Out: &p.out,
		Getenv: func(name string) string { return p.env[name] },
	}
	if runtime.GOOS == "windows" {
		p.env["APPDATA"], p.env["LOCALAPPDATA"] = home, home
	}
	return p
}

func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// said gives what was printed since the last call.
func (p *place) said() string {
	defer p.out.Reset()
	return p.out.String()
}

func (p *place) terraform(t *testing.T, change func(*Terraform)) error {
	t.Helper()
	tf := Terraform{Common: p.Common, Host: "registry.example.com"}
	if change != nil {
		change(&tf)
	}
	return tf.Run(context.Background())
}

const ourBlock = "credentials_helper \"oidc-cred\" {\n  args = []\n}\n"

func TestTerraformFile(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string
		config              string
		force               bool
		err                 string
	}{
		{name: "no file", after: ourBlock},
		{name: "comments and the rest stay", before: "# mine\nplugin_cache_dir = \"$HOME/c\" // here\n\nhost \"a\" {\n services = { \"x.v1\" = \"}\" }\n}", after: "# mine\nplugin_cache_dir = \"$HOME/c\" // here\n\nhost \"a\" {\n services = { \"x.v1\" = \"}\" }\n}\n\n" + ourBlock},
		{name: "there already", before: "x = 1\n" + ourBlock + "y = 2\n", after: "x = 1\n" + ourBlock + "y = 2\n"},
		{name: "with arguments of its owner's", before: "credentials_helper \"oidc-cred\" { args = [\"--offline\"] }\n", after: "credentials_helper \"oidc-cred\" { args = [\"--offline\"] }\n"},
		{name: "another configuration", config: "/etc/x.yaml", before: "a = 1\n" + ourBlock + "b = 1\n", after: "a = 1\ncredentials_helper \"oidc-cred\" {\n  args = [\"--config\", \"/etc/x.yaml\"]\n}\nb = 1\n"},
		{name: "the usual configuration again", before: "credentials_helper \"oidc-cred\" {\n  args = [\"--config\", \"/etc/x.yaml\"]\n}\n", after: ourBlock},
		{name: "CR LF", before: "a = 1\r\n", after: "a = 1\r\n\r\n" + strings.ReplaceAll(ourBlock, "\n", "\r\n")},
		{name: "another helper", before: "credentials_helper \"vault\" {\n  args = [\"x\"]\n}\n", err: `has the credentials helper "vault"`},
		{name: "another helper, replaced", force: true, before: "a = 1\ncredentials_helper \"vault\" {\n  args = [\"x\"]\n}\nb = 1\n", after: "a = 1\n" + ourBlock + "b = 1\n"},
		{name: "another helper in a comment", before: "/* credentials_helper \"vault\" {} */\n", after: "/* credentials_helper \"vault\" {} */\n\n" + ourBlock},
		{name: "another helper in a string", before: "a = <<E\ncredentials_helper \"vault\" {}\nE\n", after: "a = <<E\ncredentials_helper \"vault\" {}\nE\n\n" + ourBlock},
		{name: "unreadable", before: "credentials_helper \"x\" {", err: "can't be read as HCL"},
		{name: "JSON", before: `{"plugin_cache_dir": "x"}`, err: "is in JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			file := filepath.Join(p.Home, ".terraformrc")
			p.env["TF_CLI_CONFIG_FILE"] = file
			if tt.before != "" {
				putFile(t, file, tt.before)
			}
			p.Config = tt.config
			err := p.terraform(t, func(tf *Terraform) { tf.Force = tt.force })
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || fileText(t, file) != tt.before {
					t.Errorf("%v\n%s", err, fileText(t, file))
				}
				return
			}
			if err != nil || fileText(t, file) != tt.after {
				t.Fatalf("%v\n%s\nwant\n%s", err, fileText(t, file), tt.after)
			}
			if tt.before != "" && tt.before != tt.after && fileText(t, file+backupSuffix) != tt.before {
				t.Error("no copy of the former file")
			}
			p.said()
			if err := p.terraform(t, nil); err != nil || fileText(t, file) != tt.after || !strings.Contains(p.said(), "nothing to change") {
				t.Errorf("a second time: %v\n%s", err, fileText(t, file))
			}
			if err := p.terraform(t, func(tf *Terraform) { tf.Remove = true }); err != nil {
				t.Fatal(err)
			}
			left := fileText(t, file)
			if strings.Contains(left, "oidc-cred") {
				t.Errorf("left after removal:\n%s", left)
			}
			if !strings.Contains(tt.before, "credentials_helper") && strings.TrimRight(left, "\r\n") != strings.TrimRight(tt.before, "\r\n") {
				t.Errorf("after removal:\n%q\nwant\n%q", left, tt.before)
			}
		})
	}
}

func TestTerraformPlaces(t *testing.T) {
	p := newPlace(t)
	if err := p.terraform(t, func(tf *Terraform) { tf.Print = true }); err != nil || !strings.Contains(p.said(), ourBlock) {
		t.Error(err)
	}
	link := filepath.Join(p.Home, ".terraform.d", "plugins", "terraform-credentials-oidc-cred")
	rc := filepath.Join(p.Home, ".terraformrc")
	if runtime.GOOS == "windows" {
		link = filepath.Join(p.Home, "terraform.d", "plugins", "terraform-credentials-oidc-cred.exe")
		rc = filepath.Join(p.Home, "terraform.rc")
	}
	if exists(link) || exists(rc) {
		t.Fatal("--print writes")
	}
	if err := p.terraform(t, nil); err != nil {
		t.Fatal(err)
	}
	if text := p.said(); fileText(t, rc) != ourBlock || fileText(t, link) != "a program" || !strings.Contains(text, "terraform init") {
		t.Errorf("%s", text)
	}
	if entries, err := terraformEntries(p.Common); err != nil || len(entries) != 1 || entries[0].Where != rc {
		t.Errorf("entries %v, %v", entries, err)
	}

	// OpenTofu's own file is written where there is one.
	own := strings.Replace(strings.Replace(rc, ".terraformrc", ".tofurc", 1), "terraform.rc", "tofu.rc", 1)
	putFile(t, own, "")
	if err := p.terraform(t, nil); err != nil || fileText(t, own) != ourBlock {
		t.Errorf("%v, %q", err, fileText(t, own))
	}

	// Tokens that come first are pointed at.
	dir := filepath.Dir(filepath.Dir(link))
	putFile(t, filepath.Join(dir, "credentials.tfrc.json"), `{"credentials":{"registry.example.com":{"token":"x"}}}`)
	putFile(t, filepath.Join(dir, "more.tfrc"), "credentials \"Registry.example.com\" {\n  token = \"x\"\n}\n")
	p.env["TF_TOKEN_registry_example_com"] = "x"
	p.said()
	if err := p.terraform(t, nil); err != nil {
		t.Fatal(err)
	}
	if text := p.said(); strings.Count(text, "note: ") != 3 {
		t.Errorf("%s", text)
	}

	// Another helper in a file that is not ours to write.
	putFile(t, filepath.Join(dir, "more.tfrc"), "credentials_helper \"x\" {}\n")
	if err := p.terraform(t, func(tf *Terraform) { tf.Force = true }); err == nil || !strings.Contains(err.Error(), "more.tfrc") {
		t.Errorf("error %v", err)
	}

	if err := p.terraform(t, func(tf *Terraform) { tf.Remove, tf.Print = true, true }); err != nil || !exists(link) {
		t.Errorf("--remove --print: %v", err)
	}
	if err := p.terraform(t, func(tf *Terraform) { tf.Remove = true }); err != nil || exists(link) || fileText(t, rc)+fileText(t, own) != "" {
		t.Errorf("--remove: %v, %q", err, fileText(t, rc)+fileText(t, own))
	}
	p.said()
	if err := p.terraform(t, func(tf *Terraform) { tf.Remove = true }); err != nil || !strings.Contains(p.said(), "nothing to remove") {
		t.Errorf("--remove again: %v", err)
	}
}

func TestTerraformHosts(t *testing.T) {
	p := newPlace(t)
	for host, want := range map[string]string{
		"https://Registry.example.com/": "registry.example.com", "registry.example.com:443": "registry.example.com", "127.0.0.1:8443": "127.0.0.1:8443",
		"http://127.0.0.1:80": "", "*.example.com": "", "café.fr": "", "a b": "", "registry.example.com/x": "",
	} {
		got, err := Terraform{Common: p.Common, Host: host}.host()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", host, got, err)
		}
	}
}

// Whatever the file holds: what is added can be read back, and removing it
// leaves the other blocks as they were.
func FuzzTerraformFile(f *testing.F) {
	for _, file := range []string{
		"", ourBlock, "a = 1\n", "host \"a\" {\n services = { \"x\" = \"}\" }\n}", "a = \"${b(\"c\")}\"", "a = <<-E\n}\nE\n", "/* */ # x\n// y\n",
		"credentials_helper \"x\" {}", "credentials_helper oidc-cred { args = [\"a\", ] }", "\"a\" = [1, {b = 2}]", "\ufeffa = 1",
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		before, err := hclBlocks([]byte(file))
		if err != nil || isJSON([]byte(file)) {
			return
		}
		for _, b := range before {
			if b.start < 0 || b.end > len(file) || b.start >= b.end {
				t.Fatalf("block %d to %d of %d", b.start, b.end, len(file))
			}
		}
		tf := Terraform{Force: true}
		with, err := tf.withBlock("f", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		after, err := hclBlocks(with)
		if err != nil {
			t.Fatalf("%q can't be read again", with)
		}
		helpers := 0
		for _, b := range after {
			if b.kind == "credentials_helper" {
				helpers++
				if b.label != terraformHelper {
					t.Fatalf("%q", with)
				}
			}
		}
		if helpers != 1 {
			t.Fatalf("%d helpers in %q", helpers, with)
		}
		again, err := tf.withBlock("f", with)
		if err != nil || !bytes.Equal(again, with) {
			t.Fatalf("%q is changed again to %q", with, again)
		}
		without, err := withoutBlock("f", with)
		if err != nil {
			t.Fatal(err)
		}
		left, err := hclBlocks(without)
		if err != nil || len(left) != len(after)-1 {
			t.Fatalf("%q without it is %q", with, without)
		}
	})
}
