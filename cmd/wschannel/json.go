package main

import (
	"bytes"
	"encoding/json"
)

const (
	// maxJSON is the length in bytes of the longest message that is indented.
	maxJSON = 1 << 20
	// maxJSONDepth is how deep its arrays and objects may be nested: indented,
	// each of the bytes inside could take two columns for each level.
	maxJSONDepth = 32
)

// indentJSON returns text with indentation if it is JSON, and as it is if not.
// Names, numbers and strings stay what they are.
func indentJSON(text []byte) []byte {
	if len(text) > maxJSON || depth(text) > maxJSONDepth {
		return text
	}
	var b bytes.Buffer
	if json.Indent(&b, bytes.TrimSpace(text), "", "  ") != nil {
		return text
	}
	return b.Bytes()
}

// depth returns how deep the brackets in JSON are nested, those in strings left
// out.
func depth(text []byte) int {
	deepest, now := 0, 0
	quoted, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}', c == ']':
			now--
		}
	}
	return deepest
}
