package setup

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Callable says why the tool can't call the program that its entry names, nil
// if it can.
func (c Common) Callable(e Entry) error {
	switch {
	case e.Program == "" || strings.ContainsAny(e.Program, "$%`"): // a shell's to say
		return nil
	case !strings.ContainsAny(e.Program, `/\`):
		return c.callableByName(e)
	}
	path := e.Program
	if rest, ok := strings.CutPrefix(path, "~/"); ok && c.Home != "" {
		path = filepath.Join(c.Home, rest)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return usage("run the setup again", "%s is not there", path)
	case !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return usage("run the setup again", "%s is no program that can be run", path)
	}
	return nil
}

func (c Common) callableByName(e Entry) error {
	path, ok := c.onPath(e.Program)
	if !ok {
		advice := "run the setup again"
		if e.Link != "" {
			advice = "add " + filepath.Dir(e.Link) + " to it"
		}
		return usage(advice, "%s is not in PATH", e.Program)
	}
	if e.Program != keyringLink {
		return nil
	}
	if !c.ourLink(path) {
		return usage("put "+filepath.Dir(e.Link)+" before it", "%s comes first in PATH and is not oidc-cred's", path)
	}
	return c.askedByPip()
}

// askedByPip says whether pip or uv is told to ask the keyring command at all.
func (c Common) askedByPip() error {
	for _, name := range []string{"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"} {
		if c.getenv(name) == keyringProvider {
			return nil
		}
	}
	for _, file := range c.pipConfigs() {
		data, err := readFile(file)
		if err != nil {
			continue // not ours to read
		}
		for line := range strings.Lines(string(data)) {
			key, value, _ := strings.Cut(line, "=")
			if strings.TrimSpace(key) == "keyring-provider" && strings.Trim(strings.TrimSpace(value), `"'`) == keyringProvider {
				return nil
			}
		}
	}
	return usage("set it to "+keyringProvider+", or UV_KEYRING_PROVIDER for uv", "PIP_KEYRING_PROVIDER is not set")
}

// pipConfigs are pip's configuration and uv's for the user.
func (c Common) pipConfigs() []string {
	files := []string{"/etc/pip.conf", "/etc/uv/uv.toml"}
	dir := c.getenv("XDG_CONFIG_HOME")
	if dir == "" && c.Home != "" {
		dir = filepath.Join(c.Home, ".config")
	}
	name := "pip.conf"
	if runtime.GOOS == "windows" {
		files, dir, name = nil, c.getenv("APPDATA"), "pip.ini"
	}
	if dir != "" {
		files = append(files, filepath.Join(dir, "pip", name), filepath.Join(dir, "uv", "uv.toml"))
	}
	if c.Home != "" {
		files = append(files, filepath.Join(c.Home, ".pip", "pip.conf"), filepath.Join(c.Home, "Library", "Application Support", "pip", "pip.conf"))
	}
	if file := c.getenv("PIP_CONFIG_FILE"); file != "" {
		files = append(files, file)
	}
	return files
}
