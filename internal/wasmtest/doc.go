// Package wasmtest has the tests that every platform passes from one source:
// natively as any others, and compiled for js/wasm in browsers and in Node.js,
// each time against the servers of its folder servers. The program in its
// folder run is what go test -exec needs for that:
//
//	go build -o .bin/wasmrun ./internal/wasmtest/run
//	GOOS=js GOARCH=wasm WASM_HOST=firefox go test -exec "$PWD/.bin/wasmrun" ./internal/wasmtest
//
// Hosts are chromium and firefox (a page), chromium-worker and firefox-worker
// (a dedicated worker), and node.
//
// Tests of what only the browser's engine does are in files named _js_test.go.
package wasmtest
