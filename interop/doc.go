// Package interop tests channels against the WebSocket libraries of other
// languages and behind reverse proxies. It holds nothing but tests.
//
// The peers are npm's ws under Node.js and Python's websockets, each as client
// and as server. testdata/peers.md tells how they are driven. The proxies are
// nginx, HAProxy and Caddy. What a machine lacks is skipped; make setup installs it.
package interop
