// The address of this page holds the authorization code: out of the address
// bar and the history with it, before anything else.
if (location.search || location.hash) history.replaceState(null, "", location.origin + location.pathname);
