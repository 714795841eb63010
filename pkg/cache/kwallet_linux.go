package cache

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/99designs/keyring"
	"github.com/godbus/dbus/v5"
)

const kwalletInterface = "org.kde.KWallet."

// kwallet is KDE's wallet, a [keyring.Keyring] for one call. Names after
// org.kde.KWallet.xml of kwalletd.
type kwallet struct {
	call        *call
	conn        *dbus.Conn
	object      dbus.BusObject
	app         string
	interactive bool
}

func openKWallet(o KeychainOptions) opener {
	return func(c *call) (keyring.Keyring, error) {
		conn, hello, err := dialBus(c.ctx, o.Getenv)
		if err != nil {
			return nil, busProblem(err)
		}
		c.onClose(func() { _ = conn.Close() })
		if reply := <-hello.Done; reply.Err != nil {
			return nil, busProblem(reply.Err)
		}
		w := &kwallet{call: c, conn: conn, app: o.Service, interactive: o.Interactive}
		return w, w.findDaemon()
	}
}

// findDaemon prefers the daemon of Plasma 6.
func (w *kwallet) findDaemon() error {
	var missing *KeychainError
	for _, version := range []string{"6", "5"} {
		w.object = w.conn.Object("org.kde.kwalletd"+version, dbus.ObjectPath("/modules/kwalletd"+version))
		var enabled bool
		err := w.ask("isEnabled", []any{&enabled})
		switch {
		case err == nil && enabled:
			return nil
		case err == nil:
			return &KeychainError{Problem: ProblemMissing, Err: errorText("the wallet is switched off"),
				hint: "switch the KDE wallet subsystem on in System Settings, or " + otherStores}
		case !errors.As(err, &missing) || missing.Problem != ProblemMissing:
			return err
		}
	}
	return missing
}

// open opens the wallet for network passwords. One that is closed would ask
// for its password, which only a person at a terminal expects.
func (w *kwallet) open() (handle int32, err error) {
	var wallet string
	if err := w.ask("networkWallet", []any{&wallet}); err != nil {
		return 0, err
	}
	var open bool
	if err := w.ask("isOpen", []any{&open}, wallet); err != nil {
		return 0, err
	}
	if !open && !w.interactive {
		return 0, &KeychainError{Problem: ProblemLocked}
	}
	if w.interactive {
		w.call.extend(personLimit)
	}
	if err := w.ask("open", []any{&handle}, wallet, int64(0), w.app); err != nil {
		return 0, err
	}
	if handle < 0 {
		return 0, &KeychainError{Problem: ProblemDenied, Err: errorText("the wallet was not opened")}
	}
	return handle, nil
}

// Get implements [keyring.Keyring].
func (w *kwallet) Get(name string) (keyring.Item, error) {
	handle, err := w.open()
	if err != nil {
		return keyring.Item{}, err
	}
	var exists bool
	if err := w.ask("hasEntry", []any{&exists}, handle, w.app, name, w.app); err != nil {
		return keyring.Item{}, err
	}
	if !exists {
		return keyring.Item{}, keyring.ErrKeyNotFound
	}
	var text string
	if err := w.ask("readPassword", []any{&text}, handle, w.app, name, w.app); err != nil {
		return keyring.Item{}, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return keyring.Item{}, &KeychainError{Problem: ProblemCorrupt, Err: err}
	}
	return keyring.Item{Key: name, Data: data}, nil
}

// GetMetadata implements [keyring.Keyring].
func (w *kwallet) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

// Set implements [keyring.Keyring].
func (w *kwallet) Set(item keyring.Item) error {
	handle, err := w.open()
	if err != nil {
		return err
	}
	var ok bool
	if err := w.ask("hasFolder", []any{&ok}, handle, w.app, w.app); err != nil {
		return err
	}
	if !ok {
		if err := w.ask("createFolder", []any{&ok}, handle, w.app, w.app); err != nil {
			return err
		}
	}
	var code int32
	text := base64.StdEncoding.EncodeToString(item.Data)
	if err := w.ask("writePassword", []any{&code}, handle, w.app, item.Key, text, w.app); err != nil {
		return err
	}
	return done("write", code)
}

// Remove implements [keyring.Keyring].
func (w *kwallet) Remove(name string) error {
	handle, err := w.open()
	if err != nil {
		return err
	}
	var exists bool
	if err := w.ask("hasEntry", []any{&exists}, handle, w.app, name, w.app); err != nil || !exists {
		return err
	}
	var code int32
	if err := w.ask("removeEntry", []any{&code}, handle, w.app, name, w.app); err != nil {
		return err
	}
	return done("remove", code)
}

// Keys implements [keyring.Keyring].
func (w *kwallet) Keys() ([]string, error) {
	handle, err := w.open()
	if err != nil {
		return nil, err
	}
	var names []string
	return names, w.ask("entryList", []any{&names}, handle, w.app, w.app)
}

func (w *kwallet) ask(method string, results []any, args ...any) error {
	return busProblem(w.object.CallWithContext(w.call.ctx, kwalletInterface+method, 0, args...).Store(results...))
}

// done checks the code that kwalletd returns for a change: 0 or a failure.
func done(what string, code int32) error {
	if code != 0 {
		return &KeychainError{Problem: ProblemOther, Err: fmt.Errorf("kwalletd could not %s the entry (code %d)", what, code)}
	}
	return nil
}
