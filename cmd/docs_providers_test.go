package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The profiles that the pages about providers and CI show are configurations
// that this program takes: no key is unknown, no value wrong, and no setting
// contradicts another one.
func TestProfilesOfTheDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/providers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) == 0 {
		t.Fatal("docs/providers has no pages")
	}
	for _, page := range append(pages, "../docs/ci.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, block := range yamlBlocks(string(text)) {
			if !strings.HasPrefix(block, "profiles:") && !strings.Contains(block, "\nprofiles:") {
				continue
			}
			found = true
			checkProfiles(t, page, block)
		}
		if !found {
			t.Errorf("%s shows no profile", page)
		}
	}
}

func checkProfiles(t *testing.T, page, block string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := readConfig(path)
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, block)
		return
	}
	if len(config.names) == 0 {
		t.Errorf("%s: no profile in\n%s", page, block)
	}
	for _, name := range config.names {
		p, err := config.resolve(name, nil, func(string) string { return "" })
		if err != nil {
			t.Errorf("%s: profile %s: %v\n%s", page, name, err, block)
			continue
		}
		if p.text("issuer") == "" || p.text("client_id") == "" {
			t.Errorf("%s: profile %s has no issuer or no client_id\n%s", page, name, block)
		}
	}
}

// yamlBlocks are the fenced blocks of a page that are marked as YAML.
func yamlBlocks(page string) []string {
	var blocks []string
	for _, part := range strings.Split(page, "\n```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}
