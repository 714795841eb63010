package cmd

import (
	"os"
	"runtime"
	"slices"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// noBrowserHere says where we are, if a browser that is opened on this machine
// would not be seen by who asked for it; "" if nothing speaks against one.
func (a *app) noBrowserHere() string {
	return noBrowser(runtime.GOOS, a.getenv, inContainer)
}

func noBrowser(system string, getenv func(string) string, container func() bool) string {
	set := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return getenv(name) != "" })
	}
	switch {
	case set("BROWSER"):
		// Somebody knows a way, also over SSH: the terminals of remote editors
		// set it to a command that opens the browser at home.
		return ""
	case set("DISPLAY", "WAYLAND_DISPLAY"):
		return "" // over SSH, a display that is forwarded
	case set("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"):
		return "SSH session"
	case system == "darwin", system == "windows", system == "android":
		return ""
	case set("WSL_DISTRO_NAME", "WSL_INTEROP"):
		return "" // Windows has one
	case container():
		return "container"
	default:
		return "no graphical session"
	}
}

// inContainer looks for the marks that container engines leave.
func inContainer() bool {
	if getenv("container") != "" || getenv("KUBERNETES_SERVICE_HOST") != "" {
		return true
	}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

// deviceGrantType is RFC 8628 §3.4's.
const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

// offersDevice says whether the provider has the device grant. Where it lists
// its grants, this one has to be among them; many list none.
func offersDevice(md *oidcflow.Metadata) bool {
	return md.DeviceAuthorizationEndpoint != "" &&
		(len(md.GrantTypesSupported) == 0 || slices.Contains(md.GrantTypesSupported, deviceGrantType))
}
