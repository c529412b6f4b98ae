package main

import (
	"strings"
	"testing"
)

func TestIndentJSON(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct{ name, in, want string }{
		{"an object", `{"b":1.0,"a":{"c":[]},"b":null}`, "{\n  \"b\": 1.0,\n  \"a\": {\n    \"c\": []\n  },\n  \"b\": null\n}"},
		{"space around", " \n[ 1 ]\n", "[\n  1\n]"},
		{"a number as it is", "12345678901234567890.10e+2", "12345678901234567890.10e+2"},
		{"a string as it is", `"\u00e9 <&> \u2028"`, `"\u00e9 <&> \u2028"`},
		{"text", "hello", "hello"},
		{"two values", "1 2", "1 2"},
		{"cut off", `{"a":`, `{"a":`},
		{"nothing", "", ""},
		{"nested", nested(2), "[\n  []\n]"},
		{"nested too deep", nested(maxJSONDepth + 1), nested(maxJSONDepth + 1)},
		{"brackets in a string", `["` + nested(100) + `\"["]`, "[\n  \"" + nested(100) + "\\\"[\"\n]"},
		// Counting them would hide that it is nested too deep.
		{"closing brackets in strings", strings.Repeat(`["]",`, 40) + "1" + strings.Repeat("]", 40), strings.Repeat(`["]",`, 40) + "1" + strings.Repeat("]", 40)},
		{"too long", "[" + strings.Repeat(" ", maxJSON) + "1]", "[" + strings.Repeat(" ", maxJSON) + "1]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(indentJSON([]byte(test.in))); got != test.want {
				t.Errorf("got %.200q, want %.200q", got, test.want)
			}
		})
	}
}
