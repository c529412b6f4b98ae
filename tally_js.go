package wschannel

// A tally knows nothing of the wire here: a browser does not tell.
type tally struct{ register }
