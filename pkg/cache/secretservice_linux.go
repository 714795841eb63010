package cache

import (
	"encoding/base64"
	"errors"

	"github.com/99designs/keyring"
	"github.com/godbus/dbus/v5"
)

// Names of the Secret Service API Draft 0.2 (freedesktop.org).
const (
	secretsName    = "org.freedesktop.secrets"
	secretsPath    = dbus.ObjectPath("/org/freedesktop/secrets")
	secretsService = "org.freedesktop.Secret.Service."
	secretsItem    = "org.freedesktop.Secret.Item."
	secretsColl    = "org.freedesktop.Secret.Collection"
	secretsPrompt  = "org.freedesktop.Secret.Prompt"
	noObject       = dbus.ObjectPath("/")
)

// secretService is the Secret Service of GNOME, KeePassXC and others: a
// [keyring.Keyring] for one call.
//
// The session is "plain": the bus is a local socket of the user's own, and the
// daemon gives the same secret to every process that may connect to it.
type secretService struct {
	call        *call
	conn        *dbus.Conn
	service     string
	interactive bool
	// collection is the default one, where new items go; "/" if there is none.
	collection dbus.ObjectPath
}

// secretValue is the API's Secret structure.
type secretValue struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

func openSecretService(o KeychainOptions) opener {
	return func(c *call) (keyring.Keyring, error) {
		conn, hello, err := dialBus(c.ctx, o.Getenv)
		if err != nil {
			return nil, busProblem(err)
		}
		c.onClose(func() { _ = conn.Close() })
		s := &secretService{call: c, conn: conn, service: o.Service, interactive: o.Interactive}
		return s, s.enter(hello)
	}
}

// enter makes the first call, and waits for it. That costs a round trip, but
// gnome-keyring (seen in 42.1) takes note of a client at its first message in
// one thread while another may be forgetting one that has left, and sometimes
// the note is lost. If a session is asked for then, the daemon aborts: with
// all in one go, once in 800 tries right after one another. Any other call is
// answered all the same, and the next one makes the note anew.
func (s *secretService) enter(hello *dbus.Call) error {
	alias := s.send(secretsPath, secretsService+"ReadAlias", "default")
	if greeted := <-hello.Done; greeted.Err != nil {
		return busProblem(greeted.Err)
	}
	return wait(alias, &s.collection)
}

// Get implements [keyring.Keyring]. An unlocked item takes two round trips.
func (s *secretService) Get(name string) (keyring.Item, error) {
	session, search := s.openSession(), s.search(name)
	var sessionPath dbus.ObjectPath
	if err := wait(session, new(dbus.Variant), &sessionPath); err != nil {
		return keyring.Item{}, err
	}
	item, err := s.found(search)
	if errors.Is(err, keyring.ErrKeyNotFound) {
		// Some services hide the items of a locked collection, and then "not
		// there" would mean signed out.
		if unlocked, e := s.openDefault(); e != nil {
			return keyring.Item{}, e
		} else if unlocked {
			item, err = s.found(s.search(name))
		}
	}
	if err != nil {
		return keyring.Item{}, err
	}
	var secret secretValue
	if err := wait(s.send(item, secretsItem+"GetSecret", sessionPath), &secret); err != nil {
		return keyring.Item{}, err
	}
	data, err := base64.StdEncoding.DecodeString(string(secret.Value))
	if err != nil {
		return keyring.Item{}, &KeychainError{Problem: ProblemCorrupt, Err: err}
	}
	return keyring.Item{Key: name, Data: data}, nil
}

// GetMetadata implements [keyring.Keyring].
func (s *secretService) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

// Set implements [keyring.Keyring].
func (s *secretService) Set(item keyring.Item) error {
	session, search := s.openSession(), s.search(item.Key)
	var sessionPath dbus.ObjectPath
	if err := wait(session, new(dbus.Variant), &sessionPath); err != nil {
		return err
	}
	// Text, because some services keep nothing else, and people look at it.
	secret := secretValue{Session: sessionPath, Parameters: []byte{},
		Value: []byte(base64.StdEncoding.EncodeToString(item.Data)), ContentType: "text/plain"}
	former, err := s.found(search)
	if err == nil {
		// Wherever it is: the user may have chosen another default meanwhile.
		return wait(s.send(former, secretsItem+"SetSecret", secret))
	}
	if !errors.Is(err, keyring.ErrKeyNotFound) {
		return err
	}
	if _, err := s.openDefault(); err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		secretsItem + "Label":      dbus.MakeVariant(item.Label),
		secretsItem + "Attributes": dbus.MakeVariant(s.attributes(item.Key)),
	}
	var created, prompt dbus.ObjectPath
	err = wait(s.send(s.collection, secretsColl+".CreateItem", properties, secret, true), &created, &prompt)
	if err != nil {
		return err
	}
	return s.answer(prompt)
}

// Remove implements [keyring.Keyring].
func (s *secretService) Remove(name string) error {
	for range 100 { // there is one; others may have the same attributes
		item, err := s.found(s.search(name))
		if errors.Is(err, keyring.ErrKeyNotFound) {
			unlocked, e := s.openDefault()
			if unlocked {
				continue
			}
			if failed, ok := errors.AsType[*KeychainError](e); ok && failed.Problem == ProblemMissing {
				return nil
			}
			return e
		}
		if err != nil {
			return err
		}
		var prompt dbus.ObjectPath
		if err := wait(s.send(item, secretsItem+"Delete"), &prompt); err != nil {
			return err
		}
		if err := s.answer(prompt); err != nil {
			return err
		}
	}
	return &KeychainError{Problem: ProblemOther, Err: errorText("the item can't be deleted")}
}

// Keys implements [keyring.Keyring].
func (s *secretService) Keys() ([]string, error) {
	return nil, &KeychainError{Problem: ProblemOther, Err: errorText("listing is not supported")}
}

func (s *secretService) attributes(name string) map[string]string {
	return map[string]string{"service": s.service, "account": name}
}

// openSession and search only send, so that both travel together.
func (s *secretService) openSession() *dbus.Call {
	return s.send(secretsPath, secretsService+"OpenSession", "plain", dbus.MakeVariant(""))
}

func (s *secretService) search(name string) *dbus.Call {
	return s.send(secretsPath, secretsService+"SearchItems", s.attributes(name))
}

// found is the item that a search brought, unlocked.
func (s *secretService) found(search *dbus.Call) (dbus.ObjectPath, error) {
	var unlocked, locked []dbus.ObjectPath
	if err := wait(search, &unlocked, &locked); err != nil {
		return "", err
	}
	switch {
	case len(unlocked) > 0:
		return unlocked[0], nil
	case len(locked) > 0:
		return locked[0], s.unlock(locked[0])
	default:
		return "", keyring.ErrKeyNotFound
	}
}

// openDefault unlocks the default collection, and says whether it had to.
func (s *secretService) openDefault() (unlocked bool, err error) {
	if s.collection == noObject || s.collection == "" {
		return false, &KeychainError{Problem: ProblemMissing, Err: errorText("there is no default keyring"),
			hint: "make a default keyring (in Passwords and Keys: New, Password Keyring, then Set as default), or " + otherStores}
	}
	var locked dbus.Variant
	property := s.send(s.collection, "org.freedesktop.DBus.Properties.Get", secretsColl, "Locked")
	if err := wait(property, &locked); err != nil {
		return false, err
	}
	if is, _ := locked.Value().(bool); !is {
		return false, nil
	}
	if err := s.unlock(s.collection); err != nil {
		return false, err
	}
	return true, nil
}

// unlock asks the person at the terminal, if there is one.
func (s *secretService) unlock(path dbus.ObjectPath) error {
	if !s.interactive {
		return &KeychainError{Problem: ProblemLocked}
	}
	var unlocked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	unlock := s.send(secretsPath, secretsService+"Unlock", []dbus.ObjectPath{path})
	if err := wait(unlock, &unlocked, &prompt); err != nil {
		return err
	}
	return s.answer(prompt)
}

// answer shows a prompt and waits for the person; no prompt is fine.
func (s *secretService) answer(prompt dbus.ObjectPath) error {
	if prompt == noObject || prompt == "" {
		return nil
	}
	if !s.interactive {
		return &KeychainError{Problem: ProblemLocked, Err: errorText("it wants to ask")}
	}
	signals := make(chan *dbus.Signal, 8)
	s.conn.Signal(signals)
	err := s.conn.AddMatchSignalContext(s.call.ctx, dbus.WithMatchObjectPath(prompt),
		dbus.WithMatchInterface(secretsPrompt), dbus.WithMatchMember("Completed"))
	if err != nil {
		return busProblem(err)
	}
	s.call.extend(personLimit)
	if err := wait(s.send(prompt, secretsPrompt+".Prompt", "")); err != nil {
		return err
	}
	for {
		select {
		case <-s.call.ctx.Done():
			return s.call.ctx.Err()
		case signal, ok := <-signals:
			if !ok {
				return busProblem(dbus.ErrClosed)
			}
			if signal.Path != prompt || signal.Name != secretsPrompt+".Completed" || len(signal.Body) == 0 {
				continue
			}
			if dismissed, _ := signal.Body[0].(bool); dismissed {
				return &KeychainError{Problem: ProblemLocked, Err: errorText("the prompt was dismissed, or there is no desktop to show it")}
			}
			return nil
		}
	}
}

func (s *secretService) send(path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return s.conn.Object(secretsName, path).GoWithContext(s.call.ctx, method, 0, nil, args...)
}

// wait takes a reply.
func wait(sent *dbus.Call, results ...any) error {
	return busProblem((<-sent.Done).Store(results...))
}
