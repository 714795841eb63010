package oidcflow

// pageWords are the words of a page. State names the outcome beside the icon,
// so that nobody needs the colour to tell success from failure.
type pageWords struct {
	Tone, Icon, State          string
	Title, Heading, Text, Next string
}

const (
	nextClose = "You can close this tab and go back to the terminal."
	nextAgain = "You can close this tab and start again from the terminal."
)

// wordsOf gives the words of a page.
func wordsOf(kind pageKind) pageWords {
	switch kind {
	case pageSuccess:
		return pageWords{
			Tone: "good", Icon: "check", State: "Success",
			Title: "Signed in", Heading: "You are signed in",
			Text: "The sign-in is complete, and commands on this computer can use it from now on.",
			Next: nextClose,
		}
	case pageDenied:
		return pageWords{
			Tone: "bad", Icon: "cross", State: "Refused",
			Title: "Sign-in refused", Heading: "The sign-in was refused",
			Text: "You, or the provider, said no. Nothing was changed on this computer.",
			Next: nextAgain,
		}
	case pageWrongState:
		return pageWords{
			Tone: "note", Icon: "bang", State: "Ignored",
			Title: "Wrong sign-in", Heading: "This answer belongs to another sign-in",
			Text: "It does not match the sign-in that is waiting, so it was ignored. It may come from an older tab, or from a page that you did not mean to open.",
			Next: "Finish the sign-in in its own tab, or start again from the terminal.",
		}
	case pageNotFound:
		return pageWords{
			Tone: "note", Icon: "bang", State: "Not found",
			Title: "Nothing here", Heading: "There is nothing at this address",
			Text: "It only takes the answer of what was started in a terminal.",
			Next: nextClose,
		}
	case pageAlreadyUsed:
		return pageWords{
			Tone: "note", Icon: "bang", State: "Already used",
			Title: "Already used", Heading: "This answer was used before",
			Text: "The answer of a sign-in works once. The terminal says how that sign-in ended.",
			Next: nextClose,
		}
	case pageExpired:
		return pageWords{
			Tone: "note", Icon: "clock", State: "Expired",
			Title: "Sign-in expired", Heading: "This sign-in has expired",
			Text: "The terminal no longer waits for it. Nothing was changed on this computer.",
			Next: nextAgain,
		}
	case pageSignedOut:
		return pageWords{
			Tone: "good", Icon: "check", State: "Signed out",
			Title: "Signed out", Heading: "You are signed out",
			Text: "The provider has ended its own session in this browser. Other programs that you signed in to with it may go on until they ask again.",
			Next: nextClose,
		}
	case pageWrongSignOut:
		return pageWords{
			Tone: "note", Icon: "bang", State: "Ignored",
			Title: "Wrong sign-out", Heading: "This belongs to another sign-out",
			Text: "It does not match the sign-out that is waiting, so it was ignored. If the provider sent you here, it has left out the state of the request.",
			Next: "Look at the terminal; to be sure, sign out at the provider's own page.",
		}
	default: // pageError, and what there will be
		return pageWords{
			Tone: "bad", Icon: "cross", State: "Failed",
			Title: "Sign-in failed", Heading: "The sign-in did not work",
			Text: "This sign-in did not complete. The terminal says more.",
			Next: nextAgain,
		}
	}
}
