package session

import (
	"context"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// absent is what is known where there is no session: the public copy, which
// anybody may have written. Only how often the provider is asked goes by it.
type absent struct {
	// loggedOut: the last session was ended by 'logout', so that only 'login'
	// begins another one.
	loggedOut bool
	// state has the failed tries to begin a session without a person.
	state offline.State
	// refused is the provider's last "no" to what would be asked now, and
	// refusedHint what to do about it.
	refused     offline.Refusal
	refusedHint string
}

func (m *Manager) absent() absent {
	data, err := m.store.Public(m.id)
	if err != nil {
		return absent{}
	}
	p, err := decodePublic(data)
	if err != nil {
		return absent{}
	}
	a := absent{loggedOut: p.SignedOut != nil && p.SignedOut.Cause == CauseLogout, state: p.tries()}
	if p.Tries.With == m.askedWith() {
		a.refused, a.refusedHint = p.Tries.Refused, p.Tries.Hint
	}
	return a
}

// tries is the state of the tries to begin a session: that of their own or,
// before the first, what is known from the last session.
func (p *public) tries() offline.State {
	if p.Tries.State != (offline.State{}) {
		return p.Tries.State
	}
	return p.State
}

// begin signs in without a person, under the lock.
func (a *attempt) begin(ctx context.Context) (*Token, error) {
	// A store that can't be used would have every call sign in.
	if err := a.m.store.Ready(ctx, a.m.id); err != nil {
		return nil, a.m.storeError(err)
	}
	limit, cancel := context.WithTimeout(ctx, a.m.timeout)
	defer cancel()
	md, asked, err := a.m.metadata(limit)
	if err != nil {
		return a.notBegun(ctx, offline.StepDiscovery, err)
	}
	if asked {
		a.absent.state = a.absent.state.Synced(a.m.now()) // whatever comes next, it has answered
	}
	rec, _, step, err := a.m.beginWorkload(limit, md)
	if err != nil {
		return a.notBegun(ctx, step, err)
	}
	a.rec, a.renewed = rec, true
	rec.State = a.absent.state // so that the end of an outage is told
	state, act := a.decide(offline.Outcome{Stage: offline.Succeeded})
	rec.State = state
	a.notStored = a.m.write(context.WithoutCancel(ctx), rec)
	for i := range act.Events {
		if act.Events[i].Type == offline.EventTokenRefreshed {
			act.Events[i] = offline.Event{Type: offline.EventSignedIn, LastSync: state.LastSync}
		}
	}
	switch {
	case ctx.Err() != nil:
		a.m.emit(act.Events...)
		return nil, ctx.Err()
	case act.Verb == offline.Print:
		return a.give(act)
	}
	return nil, a.refuse(act, offline.Failure{})
}

// notBegun ends a call that could not begin a session.
func (a *attempt) notBegun(ctx context.Context, step offline.Step, err error) (*Token, error) {
	o, local := a.failed(ctx, step, err)
	if local != nil {
		return nil, local
	}
	if step == offline.StepIDToken {
		o.Failure = offline.InvalidIDToken(err)
	}
	var act offline.Action
	a.absent.state, act = a.decide(o)
	if act.Store {
		a.m.keepTry(a.m.tried(a.absent.state, act.Refused, a.hint))
	}
	return nil, a.refuse(act, o.Failure)
}

// tried is what is kept of a try.
func (m *Manager) tried(state offline.State, refused offline.Refusal, hint string) publicTry {
	t := publicTry{State: state}
	if !refused.At.IsZero() {
		t.Refused, t.With, t.Hint = refused, m.askedWith(), hint
	}
	return t
}

// keepTry notes a failed try where there is no session to note it in, so that
// other processes wait too. A session that was asked for something else stays.
// It is under the lock; that it can't be written costs another try, no more.
func (m *Manager) keepTry(try publicTry) {
	p := public{Version: recordVersion, Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID, Store: m.storeName}
	if data, err := m.store.Public(m.id); err == nil {
		if was, err := decodePublic(data); err == nil {
			p = *was
		}
	}
	p.Tries = try
	_ = m.store.SavePublic(m.id, encodePublic(p))
}

// stateNow is the session's state, or what stands for it where there is none.
func (a *attempt) stateNow() offline.State {
	if a.rec == nil {
		return a.absent.state
	}
	return a.rec.State
}
