// Package nettest holds the net.Conn of wschannel against the conformance suite
// of golang.org/x/net. It is a module of its own, so that nobody else has to
// require that.
package nettest
