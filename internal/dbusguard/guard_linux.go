package dbusguard

import "os"

const variable = "DBUS_SESSION_BUS_ADDRESS"

// unreachable is an address of no known transport, which a D-Bus library
// turns down without any system call.
const unreachable = "disabled:"

var former = struct {
	address    string
	set, holds bool
}{}

func init() {
	former.address, former.set = os.LookupEnv(variable)
	former.holds = os.Setenv(variable, unreachable) == nil
}

// Restore puts the environment back as it was. It is called once all packages
// are initialised; further calls do nothing.
func Restore() {
	if !former.holds {
		return
	}
	former.holds = false
	if os.Getenv(variable) != unreachable {
		return
	}
	if former.set {
		_ = os.Setenv(variable, former.address)
	} else {
		_ = os.Unsetenv(variable)
	}
}
