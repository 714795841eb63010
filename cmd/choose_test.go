package cmd

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

func TestNoBrowser(t *testing.T) {
	t.Parallel()
	type env map[string]string
	for name, test := range map[string]struct {
		system    string
		env       env
		container bool
		want      string
	}{
		"Linux desktop":            {"linux", env{"DISPLAY": ":0"}, false, ""},
		"Wayland":                  {"linux", env{"WAYLAND_DISPLAY": "wayland-0"}, false, ""},
		"Linux console":            {"linux", nil, false, "no graphical session"},
		"FreeBSD":                  {"freebsd", nil, false, "no graphical session"},
		"container":                {"linux", nil, true, "container"},
		"container with a display": {"linux", env{"DISPLAY": ":0"}, true, ""},
		"SSH":                      {"linux", env{"SSH_CONNECTION": "1"}, false, "SSH session"},
		"SSH in a container":       {"linux", env{"SSH_TTY": "/dev/pts/0"}, true, "SSH session"},
		"SSH with X11":             {"linux", env{"SSH_CLIENT": "1", "DISPLAY": "localhost:10.0"}, false, ""},
		"remote editor":            {"linux", env{"SSH_CONNECTION": "1", "BROWSER": "/vscode/helper"}, false, ""},
		"BROWSER in a container":   {"linux", env{"BROWSER": "x"}, true, ""},
		"WSL":                      {"linux", env{"WSL_DISTRO_NAME": "Debian"}, false, ""},
		"WSL over SSH":             {"linux", env{"WSL_INTEROP": "/run/x", "SSH_TTY": "/dev/pts/0"}, false, "SSH session"},
		"macOS":                    {"darwin", nil, false, ""},
		"macOS over SSH":           {"darwin", env{"SSH_CONNECTION": "1"}, false, "SSH session"},
		"Windows":                  {"windows", nil, false, ""},
		"Windows over SSH":         {"windows", env{"SSH_CONNECTION": "1"}, false, "SSH session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := noBrowser(test.system, func(name string) string { return test.env[name] }, func() bool { return test.container })
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestOffersDevice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		md   oidcflow.Metadata
		want bool
	}{
		{oidcflow.Metadata{}, false},
		{oidcflow.Metadata{GrantTypesSupported: []string{deviceGrantType}}, false},
		{oidcflow.Metadata{DeviceAuthorizationEndpoint: "https://id.example.com/device"}, true},
		{oidcflow.Metadata{DeviceAuthorizationEndpoint: "https://id.example.com/device", GrantTypesSupported: []string{"authorization_code", deviceGrantType}}, true},
		{oidcflow.Metadata{DeviceAuthorizationEndpoint: "https://id.example.com/device", GrantTypesSupported: []string{"authorization_code"}}, false},
	} {
		if got := offersDevice(&test.md); got != test.want {
			t.Errorf("%+v: %t", test.md, got)
		}
	}
}
