package offline

// begin is for a session that is not there and that needs no person. There is
// nothing to serve and nothing to lose; but while the provider is down, or has
// just said no, it is not asked more often than for a session that is there.
func (l look) begin(o Outcome) (State, Action) {
	switch {
	case o.Stage == Succeeded:
		return l.state, Action{Verb: SignIn, Cause: CauseNoSession} // not with these facts
	case o.Stage == Failed && o.Failure.EndsSession():
		return l.refused(o)
	case o.Stage == Failed:
		was := l.state
		l.state = was.failed(o.Failure, l.now, l.policy, o.Random)
		a := l.refuse(Deny, CauseNoToken)
		if !was.Offline() {
			a.Events = append([]Event{offlineEntered(l.state, false)}, a.Events...)
		}
		a.Store = true
		return l.state, a
	case l.facts.Refused.Stands(l.now) && !l.call.Force:
		return l.state, Action{Verb: SignIn, Cause: CauseRejected}
	case o.Stage == LockBusy, l.state.waiting(l.now) && !l.call.Force:
		return l.state, l.refuse(Deny, CauseNoToken)
	default:
		return l.state, Action{Verb: Begin, Wait: o.Stage != Locked}
	}
}

// refused: whoever says no has answered, so an outage is over.
func (l look) refused(o Outcome) (State, Action) {
	was := l.state
	s := was.online(l.now)
	a := Action{Verb: SignIn, Cause: CauseRejected, Store: true, Refused: NewRefusal(o.Failure, l.now, l.policy, o.Random)}
	if was.Offline() {
		a.Events = append(a.Events, offlineExited(was, s, l.effective))
	}
	return s, a
}
