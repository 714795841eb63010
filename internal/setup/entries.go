package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// gitEntries are the servers for which git asks oidc-cred. It is git that reads
// its configuration: that may be several files.
func gitEntries(c Common) ([]Entry, error) {
	program, ok := c.onPath("git")
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	env := append(os.Environ(), "HOME="+c.Home)
	for _, name := range []string{"XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"} {
		if value := c.getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	config := &gitConfig{ctx: ctx, program: program, env: env}
	out, code, err := config.run("--includes", "--null", "--get-regexp", `^credential\.(.*\.)?helper$`)
	if err != nil {
		if code == exitNoSuchKey {
			return nil, nil
		}
		return nil, err
	}
	var entries []Entry
	for _, entry := range splitNull(out) {
		name, value, _ := strings.Cut(entry, "\n")
		words := shellWords(strings.TrimPrefix(value, "!"))
		if !isOurs(words, "git", c.Executable) {
			continue
		}
		url := strings.TrimSuffix(strings.TrimPrefix(name, "credential."), "helper")
		entries = append(entries, Entry{
			Where:   config.path(),
			Host:    strings.TrimPrefix(strings.Trim(url, "./"), "https://"), // "": asked for every server
			Profile: profileIn(words),
			Program: gitProgram(value, words),
		})
	}
	return entries, nil
}

// gitProgram is the program of a helper's value; "" for a name that git makes
// one of, and looks for in a folder of its own too.
func gitProgram(value string, words []string) string {
	if strings.HasPrefix(value, "!") || filepath.IsAbs(filepath.FromSlash(words[0])) || strings.HasPrefix(words[0], "~/") {
		return words[0]
	}
	return ""
}

// kubectlEntries are the users of the kubeconfigs that get their token from
// oidc-cred.
func kubectlEntries(c Common) ([]Entry, error) {
	k := Kubectl{Executable: c.Executable, Getenv: c.getenv, Home: c.Home}
	path, others, err := k.paths()
	if err != nil {
		return nil, nil //nolint:nilerr // no home, no kubeconfig
	}
	var entries []Entry
	var failed error
	for _, path := range append([]string{path}, others...) {
		file, err := readKubeconfig(path)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, item := range file.items("users") {
			if exec := get(get(item, "user"), "exec"); k.ours(exec) {
				words := execWords(exec)
				program := words[0]
				if !filepath.IsAbs(program) && !strings.HasPrefix(program, "/") && strings.ContainsAny(program, `/\`) {
					program = filepath.Join(filepath.Dir(path), program)
				}
				entries = append(entries, Entry{Where: path, Profile: profileIn(words), Program: program})
			}
		}
	}
	return entries, failed
}
