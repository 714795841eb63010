package cache

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// export puts objects on a bus under a name.
func export(t *testing.T, bus *testenv.Bus, name string, objects map[dbus.ObjectPath]map[string]any) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for path, interfaces := range objects {
		for iface, object := range interfaces {
			// KDE's methods begin with a lower-case letter.
			names := map[string]string{}
			if iface == "org.kde.KWallet" {
				for method := range reflect.TypeOf(object).Methods() {
					names[method.Name] = strings.ToLower(method.Name[:1]) + method.Name[1:]
				}
			}
			if err := conn.ExportWithMap(object, names, path, iface); err != nil {
				t.Fatal(err)
			}
		}
	}
	if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	return conn
}

// fakeWallet is org.kde.KWallet as far as it is used. Its wallet must be open
// and each call come with the handle, the folder and the application.
type fakeWallet struct {
	mu       sync.Mutex
	disabled bool
	closed   bool
	refuse   bool
	folder   bool
	entries  map[string]string
}

const fakeHandle = int32(77)

func (w *fakeWallet) IsEnabled() (bool, *dbus.Error)           { return !w.disabled, nil }
func (w *fakeWallet) NetworkWallet() (string, *dbus.Error)     { return "kdewallet", nil }
func (w *fakeWallet) IsOpen(wallet string) (bool, *dbus.Error) { return !w.closed, nil }

func (w *fakeWallet) Open(wallet string, window int64, app string) (int32, *dbus.Error) {
	if w.refuse || wallet != "kdewallet" || app != "oidc-cred" {
		return -1, nil
	}
	return fakeHandle, nil
}

func (w *fakeWallet) HasFolder(handle int32, folder, app string) (bool, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.folder, nil
}

func (w *fakeWallet) CreateFolder(handle int32, folder, app string) (bool, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folder = handle == fakeHandle && folder == "oidc-cred"
	return w.folder, nil
}

func (w *fakeWallet) HasEntry(handle int32, folder, key, app string) (bool, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.entries[folder+"/"+key]
	return ok, nil
}

func (w *fakeWallet) ReadPassword(handle int32, folder, key, app string) (string, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entries[folder+"/"+key], nil
}

func (w *fakeWallet) WritePassword(handle int32, folder, key, value, app string) (int32, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if handle != fakeHandle || !w.folder {
		return -1, nil
	}
	w.entries[folder+"/"+key] = value
	return 0, nil
}

func (w *fakeWallet) RemoveEntry(handle int32, folder, key, app string) (int32, *dbus.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.entries, folder+"/"+key)
	return 0, nil
}

func runWallet(t *testing.T, version string, w *fakeWallet) func(string) string {
	bus := testenv.SessionBus(t)
	w.entries = map[string]string{}
	export(t, bus, "org.kde.kwalletd"+version, map[dbus.ObjectPath]map[string]any{
		dbus.ObjectPath("/modules/kwalletd" + version): {"org.kde.KWallet": w},
	})
	return environment(append([]string{"KDE_FULL_SESSION=true"}, bus.Env()...))
}

func TestKWallet(t *testing.T) {
	for _, version := range []string{"5", "6"} {
		t.Run(version, func(t *testing.T) {
			env := runWallet(t, version, &fakeWallet{})
			testKeychain(t, func(t *testing.T) Keychain {
				return mustOpen(t, KeychainOptions{Backend: KWallet, Getenv: env})
			})
		})
	}
}

func TestKWalletProblems(t *testing.T) {
	tests := []struct {
		name        string
		wallet      fakeWallet
		interactive bool
		want        Problem
	}{
		{"closed", fakeWallet{closed: true}, false, ProblemLocked},
		{"refused", fakeWallet{closed: true, refuse: true}, true, ProblemDenied},
		{"switched off", fakeWallet{disabled: true}, false, ProblemMissing},
	}
	for i := range tests {
		test := &tests[i]
		t.Run(test.name, func(t *testing.T) {
			env := runWallet(t, "6", &test.wallet)
			k := mustOpen(t, KeychainOptions{Backend: KWallet, Getenv: env, Interactive: test.interactive})
			wantKeychainError(t, k.Set(context.Background(), "key", []byte("secret")), KWallet, test.want)
		})
	}
	t.Run("no daemon", func(t *testing.T) {
		env := environment(testenv.SessionBus(t).Env())
		_, err := mustOpen(t, KeychainOptions{Backend: KWallet, Getenv: env}).Get(context.Background(), "key")
		wantKeychainError(t, err, KWallet, ProblemMissing)
	})
}

// fakeSecrets is a Secret Service that hides its items while it is locked, as
// KeePassXC does, and asks a person to unlock it.
type fakeSecrets struct {
	conn   *dbus.Conn
	mu     sync.Mutex
	locked bool
	// answer is what the person does: dismisses the prompt or not; nil: nothing.
	answer *bool
	// think is how long it takes.
	think time.Duration
}

const (
	fakeCollection = dbus.ObjectPath("/org/freedesktop/secrets/collection/Passwords")
	fakeItem       = dbus.ObjectPath("/org/freedesktop/secrets/collection/Passwords/1")
	fakePrompt     = dbus.ObjectPath("/org/freedesktop/secrets/prompt/1")
	fakeSession    = dbus.ObjectPath("/org/freedesktop/secrets/session/1")
)

func (f *fakeSecrets) OpenSession(algorithm string, _ dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), fakeSession, nil
}

func (f *fakeSecrets) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return fakeCollection, nil }

func (f *fakeSecrets) SearchItems(map[string]string) (unlocked, locked []dbus.ObjectPath, _ *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.locked {
		unlocked = append(unlocked, fakeItem)
	}
	return unlocked, locked, nil
}

func (f *fakeSecrets) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, fakePrompt, nil
}

func (f *fakeSecrets) Get(_, property string) (dbus.Variant, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return dbus.MakeVariant(f.locked), nil
}

func (f *fakeSecrets) GetSecret(session dbus.ObjectPath) (secretValue, *dbus.Error) {
	return secretValue{Session: session, Value: []byte("c2VjcmV0"), ContentType: "text/plain"}, nil
}

func (f *fakeSecrets) Prompt(string) *dbus.Error {
	if f.answer == nil {
		return nil
	}
	time.AfterFunc(f.think, func() {
		f.mu.Lock()
		f.locked = *f.answer
		conn := f.conn
		f.mu.Unlock()
		_ = conn.Emit(fakePrompt, secretsPrompt+".Completed", *f.answer, dbus.MakeVariant([]dbus.ObjectPath{fakeCollection}))
	})
	return nil
}

func TestSecretServicePrompt(t *testing.T) {
	dismissed, accepted := true, false
	tests := []struct {
		name        string
		interactive bool
		answer      *bool
		think       time.Duration
		want        Problem
	}{
		{"nobody is there", false, &accepted, 0, ProblemLocked},
		{"unlocked", true, &accepted, 0, ""},
		{"unlocked after the time limit", true, &accepted, 600 * time.Millisecond, ""},
		{"dismissed", true, &dismissed, 0, ProblemLocked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bus := testenv.SessionBus(t)
			f := &fakeSecrets{locked: true, answer: test.answer, think: test.think}
			f.mu.Lock()
			f.conn = export(t, bus, secretsName, map[dbus.ObjectPath]map[string]any{
				secretsPath:    {"org.freedesktop.Secret.Service": f},
				fakeCollection: {"org.freedesktop.DBus.Properties": f},
				fakeItem:       {"org.freedesktop.Secret.Item": f},
				fakePrompt:     {secretsPrompt: f},
			})
			f.mu.Unlock()
			k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(bus.Env()),
				Interactive: test.interactive, Timeout: 400 * time.Millisecond})
			got, err := k.Get(context.Background(), "key")
			if test.want != "" {
				wantKeychainError(t, err, SecretService, test.want)
			} else if err != nil || string(got) != "secret" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestBusAddress(t *testing.T) {
	tests := []struct{ address, runtime, want string }{
		{"unix:path=/run/user/1/bus", "", "/run/user/1/bus"},
		{"unix:path=/a%20b,guid=12", "", "/a b"},
		{"unix:guid=12,abstract=/tmp/x", "", "@/tmp/x"},
		{"tcp:host=a;unix:path=/b", "", "/b"},
		{"unix:runtime=yes", "/run/user/1", "/run/user/1/bus"},
		{"", "/run/user/1", "/run/user/1/bus"},
		{"autolaunch:", "/run/user/1", "/run/user/1/bus"},
		{"", "", ""},
		{"unix:runtime=yes", "", ""},
		{"unix:path=%zz", "/run/user/1", ""},
		{"tcp:host=localhost,port=1", "/run/user/1", ""},
		{"disabled:", "/run/user/1", ""},
	}
	for _, test := range tests {
		env := map[string]string{"DBUS_SESSION_BUS_ADDRESS": test.address, "XDG_RUNTIME_DIR": test.runtime}
		got, err := busAddress(func(name string) string { return env[name] })
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
}
