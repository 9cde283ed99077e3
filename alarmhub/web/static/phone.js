// The phone app begins here.
