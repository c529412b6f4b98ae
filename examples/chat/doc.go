// Chat is rooms in which browser tabs and terminals talk:
//
//	go run ./examples/chat
//
// One program on two platforms. Natively it is the server; it compiles the same
// package for js/wasm, and that is the client in the page. Both use the same
// channel and the same messages (event.go).
package main
