package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	// As printed by go test -json, less the fields that are not read.
	const in = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"    p_test.go:1: all is well\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestPeer/ws","Output":"=== RUN   TestPeer/ws\n"}
{"Action":"output","Package":"p","Test":"TestPeer/ws","Output":"    p_test.go:2: needs Node.js: make setup\n"}
{"Action":"output","Package":"p","Test":"TestPeer/ws","Output":"    --- SKIP: TestPeer/ws (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestPeer/ws"}
{"Action":"skip","Package":"p","Test":"TestMute"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.01s\n"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"    q_test.go:3: got 1, want 2\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad"}
{"Action":"output","Package":"q","Test":"TestFine","Output":"    q_test.go:4: not worth a word\n"}
{"Action":"pass","Package":"q","Test":"TestFine"}
{"Action":"output","Package":"q","Test":"TestHung","Output":"panic: test timed out\n"}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.02s\n"}
{"Action":"fail","Package":"q"}
{"Action":"output","Package":"r","Output":"?   \tr\t[no test files]\n"}
{"Action":"skip","Package":"r"}
{"ImportPath":"s","Action":"build-output","Output":"s.go:1: syntax error\n"}
{"ImportPath":"s","Action":"build-fail"}
go: a word from the go command
{"Action":"output","Package":"u","Test":"TestCut","Output":"cut short\n"}
`
	const wantOut = "ok  \tp\t0.01s\n" +
		"    q_test.go:3: got 1, want 2\n--- FAIL: TestBad (0.00s)\npanic: test timed out\nFAIL\tq\t0.02s\n" +
		"?   \tr\t[no test files]\n" +
		"s.go:1: syntax error\n" +
		"go: a word from the go command\n" +
		"cut short\n"
	const wantSkipped = "p TestPeer/ws: p_test.go:2: needs Node.js: make setup\n" +
		"p TestMute: no reason given\n"

	var out, skipped strings.Builder
	if err := report(strings.NewReader(in), &out, &skipped); err != nil {
		t.Fatal(err)
	}
	if out.String() != wantOut {
		t.Errorf("printed:\n%s\nwant:\n%s", out.String(), wantOut)
	}
	if skipped.String() != wantSkipped {
		t.Errorf("skipped:\n%s\nwant:\n%s", skipped.String(), wantSkipped)
	}
}
