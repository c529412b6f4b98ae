package handshake

import "testing"

// RFC 6455 §1.3.
func TestSign(t *testing.T) {
	if got := Sign(sampleKey); got != sampleAccept {
		t.Errorf("Sign = %q, want %q", got, sampleAccept)
	}
}

func TestNewKey(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		key := NewKey()
		if !isKey(key) {
			t.Errorf("%q is no key", key)
		}
		if seen[key] {
			t.Errorf("%q came twice", key)
		}
		seen[key] = true
	}
}

// RFC 6455 §4.2.1, item 5, and RFC 4648 §3.
func TestIsKey(t *testing.T) {
	for _, test := range []struct {
		name, key string
		want      bool
	}{
		{"RFC 6455 §1.3", sampleKey, true},
		{"RFC 6455 §4.1, erratum 3150", "AQIDBAUGBwgJCgsMDQ4PEA==", true},
		{"RFC 6455 §4.1, before the erratum", "AQIDBAUGBwgJCgsMDQ4PEC==", true},
		{"both letters of the standard alphabet", "++//++//++//++//++//+w==", true},
		{"the alphabet of §5", "--__--__--__--__--__-w==", false},
		{"empty", "", false},
		{"15 bytes", "AQIDBAUGBwgJCgsMDQ4P", false},
		{"17 bytes", "AQIDBAUGBwgJCgsMDQ4PEBE=", false},
		{"18 bytes", "AQIDBAUGBwgJCgsMDQ4PEBES", false},
		{"no padding", "AQIDBAUGBwgJCgsMDQ4PEA", false},
		{"half the padding", "AQIDBAUGBwgJCgsMDQ4PEA=", false},
		{"more padding", "AQIDBAUGBwgJCgsMDQ4PEA===", false},
		{"a line break, which decoders skip", "AQIDBAUGBwgJCgsMDQ4PEA=\n=", false},
		{"line breaks, of the right length", "AQIDBAUGBwgJCgsMDQ4P\r\n\r\n", false},
		{"a space", "AQIDBAUGBwgJCgsMDQ4PE ==", false},
		{"24 bytes that are no base64", "????????????????????????", false},
	} {
		if got := isKey(test.key); got != test.want {
			t.Errorf("%s: isKey(%q) = %v", test.name, test.key, got)
		}
	}
}
