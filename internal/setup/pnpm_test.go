package setup

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestPnpm(t *testing.T) {
	p := newPlace(t)
	npmrc := filepath.Join(p.Home, ".npmrc")
	run := func(change func(*Pnpm)) (string, error) {
		n := Pnpm{Common: p.Common, Host: "https://npm.example.com/team/"}
		if change != nil {
			change(&n)
		}
		err := n.Run(context.Background())
		return p.said(), err
	}
	link := filepath.Join(filepath.Dir(p.Executable), linkName("oidc-cred-pnpm@work"))
	line := "//npm.example.com/:tokenHelper=" + link + "\n"

	if text, err := run(func(n *Pnpm) { n.Print = true }); err != nil || exists(npmrc) || exists(link) || !strings.Contains(text, line) {
		t.Errorf("--print: %v, %s", err, text)
	}
	before := "; mine\n//npm.example.com/:_authToken=${X}\nfund=false"
	putFile(t, npmrc, before)
	text, err := run(nil)
	if err != nil || fileText(t, npmrc) != before+"\n"+line || fileText(t, link) != "a program" || fileText(t, npmrc+backupSuffix) != before {
		t.Errorf("%v, %s\n%s", err, text, fileText(t, npmrc))
	}
	if text, err := run(nil); err != nil || !strings.Contains(text, "nothing to change") {
		t.Errorf("%v, %s", err, text)
	}
	// The link stays where it was put.
	bin := filepath.Join(p.Home, "bin")
	elsewhere := strings.ReplaceAll(line, filepath.Dir(link), bin)
	for _, dir := range []string{bin, ""} {
		if _, err := run(func(n *Pnpm) { n.BinDir = dir }); err != nil || !strings.HasSuffix(fileText(t, npmrc), elsewhere) {
			t.Errorf("%q: %v\n%s", dir, err, fileText(t, npmrc))
		}
	}
	if _, err := run(func(n *Pnpm) { n.Remove = true }); err != nil || strings.Contains(fileText(t, npmrc), "tokenHelper") || exists(filepath.Join(bin, filepath.Base(link))) {
		t.Errorf("%v\n%s", err, fileText(t, npmrc))
	}
	if _, err := run(nil); err != nil {
		t.Fatal(err)
	}

	// A second registry with another profile.
	if _, err := run(func(n *Pnpm) { n.Host, n.Profile = "npm.home.example:8443", "home" }); err != nil {
		t.Fatal(err)
	}
	entries, err := pnpmEntries(p.Common)
	if err != nil || len(entries) != 2 || entries[0] != (Entry{Where: npmrc, Host: "npm.example.com", Profile: "work", Program: entries[0].Program}) || filepath.Base(entries[0].Program) != linkName("oidc-cred-pnpm@work") || entries[1].Host != "npm.home.example:8443" || entries[1].Profile != "home" {
		t.Errorf("entries %v, %v", entries, err)
	}
	// Another profile for the first one.
	if _, err := run(func(n *Pnpm) { n.Profile = "home" }); err != nil || strings.Count(fileText(t, npmrc), "@home") != 2 {
		t.Errorf("%v\n%s", err, fileText(t, npmrc))
	}

	// Somebody else's helper.
	other := "//npm.example.com/:tokenHelper=/opt/theirs\n"
	putFile(t, npmrc, other)
	if _, err := run(nil); err == nil || fileText(t, npmrc) != other {
		t.Errorf("%v\n%s", err, fileText(t, npmrc))
	}
	if text, err := run(func(n *Pnpm) { n.Remove = true }); err != nil || fileText(t, npmrc) != other || !strings.Contains(text, "nothing to remove") {
		t.Errorf("%v, %s", err, text)
	}
	if _, err := run(func(n *Pnpm) { n.Force = true }); err != nil || fileText(t, npmrc) != line {
		t.Errorf("%v\n%s", err, fileText(t, npmrc))
	}

	if text, err := run(func(n *Pnpm) { n.Remove, n.Print = true, true }); err != nil || fileText(t, npmrc) != line || !strings.Contains(text, "would remove") {
		t.Errorf("%v, %s", err, text)
	}
	if text, err := run(func(n *Pnpm) { n.Remove = true }); err != nil || fileText(t, npmrc) != "" || exists(link) {
		t.Errorf("%v, %s", err, text)
	}

	// Where npm is told that its file is.
	p.env["NPM_CONFIG_USERCONFIG"] = filepath.Join(p.Home, "elsewhere")
	p.Config = "/etc/oidc-cred.yaml"
	if text, err := run(nil); err != nil || fileText(t, p.env["NPM_CONFIG_USERCONFIG"]) != line || !strings.Contains(text, "OIDC_CRED_CONFIG=/etc/oidc-cred.yaml") {
		t.Errorf("%v, %s", err, text)
	}
	if _, err := run(func(n *Pnpm) { n.BinDir = filepath.Join(p.Home, "a b") }); err == nil || !strings.Contains(err.Error(), "' '") {
		t.Errorf("a path with a blank: %v", err)
	}
}
