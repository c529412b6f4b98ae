package handshake

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestReadFieldsSpelling(t *testing.T) {
	for _, spell := range []func(string) string{
		func(s string) string { return s },
		strings.ToLower,
		strings.ToUpper,
		func(s string) string { return strings.Replace(s, "WebSocket", "Websocket", 1) },
	} {
		h := header{"X-Other": {"x"}, "Sec-WebSocket-Xey": {"x"}, "": {"x"}}
		names := []string{
			nameOrigin, nameUpgrade, nameConnection, nameKey, nameAccept, nameVersion, nameProtocol, nameExtensions,
		}
		for _, name := range names {
			h[spell(name)] = []string{name}
		}
		f := readFields(h)
		got := slices.Concat(f.origin, f.upgrade, f.connection, f.key, f.accept, f.version, f.protocol, f.extensions)
		if !slices.Equal(got, names) {
			t.Errorf("got %q for %q", got, h)
		}
	}
}

// A field whose name is there in two spellings is there twice, and the
// header's own slices are left alone.
func TestReadFieldsTwoSpellings(t *testing.T) {
	one, two := make([]string, 1, 8), make([]string, 1, 8)
	one[0], two[0] = "1", "2"
	f := readFields(header{"Upgrade": one, "upgrade": two, "UPGRADE": {"3"}})
	slices.Sort(f.upgrade)
	if !slices.Equal(f.upgrade, []string{"1", "2", "3"}) {
		t.Errorf("got %q", f.upgrade)
	}
	if one[:2][1] != "" || two[:2][1] != "" {
		t.Errorf("appended into the header: %q, %q", one[:2], two[:2])
	}
}

// RFC 9110 §5.6.1.
func TestElements(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{" , ,\t,", ","}, nil},
		{[]string{"a"}, []string{"a"}},
		{[]string{"foo ,bar,"}, []string{"foo", "bar"}},
		{[]string{"foo , ,bar,charlie"}, []string{"foo", "bar", "charlie"}},
		{[]string{"\ta b\t", "c"}, []string{"a b", "c"}},
	} {
		if got := slices.Collect(elements(test.lines)); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestContains(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"upgrade"}, true},
		{[]string{"keep-alive", " UpGrade "}, true},
		{[]string{"upgrade, keep-alive"}, true},
		{[]string{"keep-alive upgrade"}, false},
		{[]string{"upgrades"}, false},
		{[]string{`"upgrade"`}, false},
	} {
		if got := contains(test.lines, "upgrade"); got != test.want {
			t.Errorf("%q: got %v", test.lines, got)
		}
	}
}

// RFC 6455 §2.1: A to Z and a to z, nothing else folds.
func TestEqualFold(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"WebSocket", "wEBsOCKET", true},
		{"@Z[", "@z[", true},
		{"[", "{", false},
		{"a", "ab", false},
		{"websoc\u212aet", "websocket", false},
		{"web\u017focket", "websocket", false},
	} {
		if got := equalFold(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %v", test.a, test.b, got)
		}
	}
}

// RFC 9110 §5.6.2; RFC 2616 §2.2 for the separators.
func TestIsToken(t *testing.T) {
	const separators = "()<>@,;:\\\"/[]?={} \t"
	for c := range 256 {
		want := c >= 0x21 && c <= 0x7e && !strings.Contains(separators, string(rune(c)))
		if got := isToken(string([]byte{'a', byte(c)})); got != want {
			t.Errorf("%#02x: got %v", c, got)
		}
	}
	if isToken("") {
		t.Error("empty")
	}
}

func TestCheckHeader(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        string
	}{
		{"X-Own", "", ""},
		{"X-Own", "a\tb \xff~", ""},
		{"Sec-WebSocke", "x", ""},
		{"", "x", `the header name "" is malformed`},
		{"X Own", "x", `the header name "X Own" is malformed`},
		{"X-Own:", "x", `the header name "X-Own:" is malformed`},
		{"X-Own", "a\r\nb", `the header "X-Own" has the value "a\r\nb"`},
		{"X-Own", "\n", `control`},
		{"X-Own", "\x00", `control`},
		{"X-Own", "\x7f", `control`},
		{"Connection", "x", `"Connection" belongs to the WebSocket handshake`},
		{"UPGRADE", "x", `"UPGRADE" belongs`},
		{"content-length", "0", `belongs`},
		{"Transfer-Encoding", "chunked", `belongs`},
		{"Sec-WebSocket-", "x", `belongs`},
		{"Sec-Websocket-Key", "x", `belongs`},
		{"sec-websocket-accept", "x", `belongs`},
		{"Sec-WebSocket-Extensions", "x", `belongs`},
		{"Sec-WebSocket-Other", "x", `belongs`},
	} {
		_, err := checkHeader(header{"A": {"a"}, test.name: {"good", test.value}})
		checkMisuse(t, err, test.want)
	}
}

// A megabyte of the worst is a matter of a second even with the race detector;
// anything quadratic would take minutes.
func TestHostileInput(t *testing.T) {
	const size = 1 << 20
	distinct := make([]string, 0, size/4)
	for i := range size / 4 {
		distinct = append(distinct, strconv.FormatInt(int64(i), 36))
	}
	spellings := make(header)
	for i := range 1 << 14 {
		name := []byte("secwebsocketkey")
		for bit := range 14 {
			name[bit] -= byte(i>>bit&1) * ('a' - 'A')
		}
		spelled := string(name[:3]) + "-" + string(name[3:12]) + "-" + string(name[12:])
		spellings[spelled] = slices.Repeat([]string{"x"}, 64)
	}

	for name, run := range map[string]func() bool{
		"empty elements":    func() bool { return contains([]string{strings.Repeat(",", size)}, "upgrade") },
		"subprotocols":      func() bool { _, why := parseProtocols([]string{strings.Join(distinct, ",")}); return why != "" },
		"lines":             func() bool { _, why := parseProtocols(distinct); return why != "" },
		"extensions":        func() bool { _, bad := parseExtensions([]string{strings.Join(distinct, ";")}); return bad != "" },
		"quotation":         func() bool { _, ok := parseExtension("a;b=" + strings.Repeat(`"\`, size/2)); return ok },
		"spellings":         func() bool { return len(readFields(spellings).key) != 64<<14 },
		"stars":             func() bool { return match(strings.Repeat("*a", size/4)+"*b", strings.Repeat("a", size)) },
		"stars, none fits":  func() bool { return match(strings.Repeat("*", size)+"b", strings.Repeat("a", size)) },
		"long origin":       func() bool { _, ok := parseOrigin("http://" + strings.Repeat("a:", size)); return ok },
		"long IPv6 address": func() bool { _, ok := parseOrigin("http://[" + strings.Repeat("0:", size) + "]"); return ok },
	} {
		if run() {
			t.Errorf("%s: wrong result", name)
		}
	}
}
