package wschannel

// There are no other forms: the platform compresses by itself, or does not.
type forms struct{}
