package handshake

import (
	"fmt"
	"regexp"
	"testing"
)

// RFC 6455 §9.1, and RFC 2616 §2.1 for the white space between tokens.
func TestCheckExtensions(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string // "" if it is well-formed
	}{
		{"none", nil, ""},
		{"an empty field", []string{"", " , ,"}, ""},
		{"a token", []string{"permessage-deflate"}, ""},
		{"parameters", []string{"permessage-deflate; client_max_window_bits; server_max_window_bits=10"}, ""},
		{"several", []string{"foo, bar; baz=2", "foo"}, ""},
		{"no white space", []string{"foo;a=1;b,bar"}, ""},
		{"much white space", []string{" foo \t;  a = 1 ; b\t"}, ""},
		{"a quoted token", []string{`foo; a="b"`}, ""},
		{"an escaped token", []string{`foo; a="\b\c"; d`}, ""},
		{"unknown", []string{"x!#$%&'*+-.^_`|~"}, ""},

		{"no name", []string{"; a=1"}, `the element "; a=1"`},
		{"no parameter", []string{"foo;"}, `the element "foo;" that is no extension; expected one like`},
		{"an empty parameter", []string{"foo;;a"}, `"foo;;a"`},
		{"no parameter's name", []string{"foo; =1"}, `"foo; =1"`},
		{"no value", []string{"foo; a="}, `"foo; a="`},
		{"two values", []string{"foo; a=1=2"}, `"foo; a=1=2"`},
		{"two words", []string{"foo bar"}, `"foo bar"`},
		{"two words in a parameter", []string{"foo; a b"}, `"foo; a b"`},
		{"two words in a value", []string{"foo; a=b c"}, `"foo; a=b c"`},
		{"a value without a parameter", []string{"foo=1"}, `"foo=1"`},
		{"an empty quotation", []string{`foo; a=""`}, `a=\"\"`},
		{"a quotation of no token", []string{`foo; a="b c"`}, `a=\"b c\"`},
		{"a comma in a quotation", []string{`foo; a="b,c"`}, `"foo; a=\"b"`},
		{"an escaped comma", []string{`foo; a="b\,c"`}, `"foo; a=\"b\\"`},
		{"an open quotation", []string{`foo; a="b`}, `a=\"b"`},
		{"one quote", []string{`foo; a="`}, `a=\""`},
		{"an escaped end", []string{`foo; a="b\"`}, `a=\"b\\\""`},
		{"text behind a quotation", []string{`foo; a="b"c`}, `a=\"b\"c`},
		{"behind what is right", []string{"foo, bar", "baz, ;"}, `the element ";"`},
		{"not ASCII", []string{"föö"}, `"föö"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := goodRequest()
			r.Header["Sec-Websocket-Extensions"] = test.lines
			_, err := CheckRequest(r)
			status := 400
			if test.want == "" {
				status = 0
			}
			checkRefusal(t, err, status, test.want)
		})
	}
}

// RFC 6455 §9.1: quoted values are unquoted.
func TestParseExtensions(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{nil, "[]"},
		{[]string{"", " , "}, "[]"},
		{[]string{"foo, bar; a ;b=1", "baz"}, "[{foo []} {bar [{a  false} {b 1 true}]} {baz []}]"},
		{[]string{`foo;a="b";c="\1\2"`}, "[{foo [{a b true} {c 12 true}]}]"},
		{[]string{"\tfoo ; a = 1 "}, "[{foo [{a 1 true}]}]"},
	} {
		list, malformed := parseExtensions(test.lines)
		if malformed != "" || fmt.Sprint(list) != test.want {
			t.Errorf("%q: got %v, malformed %q; want %s", test.lines, list, malformed, test.want)
		}
	}
}

// The grammar as one expression, for a single line.
var extensionList = func() *regexp.Regexp {
	const (
		token  = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
		ows    = `[ \t]*`
		quoted = `"(?:\\?` + token + `)+"`
		param  = ows + ";" + ows + token + "+(?:" + ows + "=" + ows + "(?:" + token + "+|" + quoted + "))?"
		ext    = token + "+(?:" + param + ")*"
		list   = "^" + ows + "(?:(?:" + ext + ")?" + ows + "," + ows + ")*(?:" + ext + ")?" + ows + "$"
	)
	return regexp.MustCompile(list)
}()

func FuzzCheckExtensions(f *testing.F) {
	for _, line := range []string{"", "foo", "foo; a=1, bar", `foo; a="\b"`, `foo; a="`, "foo;", ",", "foo bar", `a;b="\"`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, malformed := parseExtensions([]string{line})
		checkText(t, malformedExtensions("request", malformed))
		if want := extensionList.MatchString(line); (malformed == "") != want {
			t.Errorf("%q: got %q, the grammar says %v", line, malformed, want)
		}
	})
}
