package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wschannel/wschannel"
	"github.com/wschannel/wschannel/internal/handshake"
	"github.com/wschannel/wschannel/status"
)

// A listFlag is a flag that may be given several times.
type listFlag struct {
	values *[]string
	check  func(all []string) error
}

func (f listFlag) String() string { return "" }
func (f listFlag) repeats()       {}

func (f listFlag) Set(value string) error {
	all := append((*f.values)[:len(*f.values):len(*f.values)], value)
	if err := f.check(all); err != nil {
		return err
	}
	*f.values = all
	return nil
}

func protocolsFlag(values *[]string) listFlag { return listFlag{values, handshake.CheckProtocols} }

func originsFlag(values *[]string) listFlag { return listFlag{values, handshake.CheckPatterns} }

// A headerFlag collects header fields.
type headerFlag struct{ header http.Header }

func (f headerFlag) String() string { return "" }
func (f headerFlag) repeats()       {}

func (f headerFlag) Set(value string) error {
	name, text, found := strings.Cut(value, ":")
	if !found {
		return errors.New("expected one like 'Name: value'")
	}
	field := http.Header{}
	field.Set(name, strings.Trim(text, " \t"))
	// What may not be sent is refused here, before there is a connection.
	if err := handshake.SetRequest(field.Clone(), "", nil, ""); err != nil {
		return err
	}
	f.header.Add(name, field.Get(name))
	return nil
}

// A waitFlag is a duration, 0 or more. The longest there is stands for no end.
type waitFlag struct{ d *time.Duration }

const forever = time.Duration(math.MaxInt64)

func (f waitFlag) String() string { return "" }

func (f waitFlag) Set(value string) error {
	if value == "forever" {
		*f.d = forever
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return errors.New(`expected a duration like 500ms, 0 or "forever"`)
	}
	*f.d = d
	return nil
}

// A timeoutFlag is a duration of more than 0.
type timeoutFlag struct{ d *time.Duration }

func (f timeoutFlag) String() string { return "" }

func (f timeoutFlag) Set(value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return errors.New("expected a duration like 10s, more than 0")
	}
	*f.d = d
	return nil
}

// A bytesFlag is a limit in bytes: 0 for the default, less for none.
type bytesFlag struct{ n *int }

func (f bytesFlag) String() string { return "" }

func (f bytesFlag) Set(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil {
		return errors.New("expected a number of bytes like 1048576, 0 for the default or -1 for no limit")
	}
	*f.n = n
	return nil
}

// A codeFlag is a close code that may be sent.
type codeFlag struct{ code *status.Code }

func (f codeFlag) String() string { return "" }

func (f codeFlag) Set(value string) error {
	code, err := parseCode(value)
	if err == nil {
		*f.code = code
	}
	return err
}

func parseCode(text string) (status.Code, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || !status.Code(n).Valid() {
		return 0, errors.New("expected a close code of 1000-1003, 1007-1014 or 3000-4999")
	}
	return status.Code(n), nil
}

// maxReason is how many bytes of a reason fit into a close frame (RFC 6455 §5.5).
const maxReason = 123

func checkReason(reason string) error {
	switch {
	case len(reason) > maxReason:
		return fmt.Errorf("the reason has %d bytes; expected at most %d", len(reason), maxReason)
	case strings.ToValidUTF8(reason, "") != reason:
		return errors.New("the reason is not UTF-8")
	}
	return nil
}

// parseProxy returns the URL of a proxy, nil for none. The error does not repeat
// the text, which may hold a password.
func parseProxy(text string) (*url.URL, error) {
	if text == "" || text == "none" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err == nil && u.Hostname() != "" {
		switch u.Scheme {
		case "http", "https", "socks5", "socks5h":
			return u, nil
		}
	}
	return nil, errors.New(`expected a URL like http://host:3128 or socks5://user:password@host:1080, or "none"`)
}

// A compressFlag is how to compress messages.
type compressFlag struct{ mode *wschannel.CompressionMode }

func (f compressFlag) String() string { return "" }

func (f compressFlag) Set(value string) error {
	for mode := wschannel.CompressionOff; mode <= wschannel.CompressionContext; mode++ {
		if mode.String() == value {
			*f.mode = mode
			return nil
		}
	}
	return errors.New("expected off, stateless or context")
}

// A pathFlag is the path of a URL.
type pathFlag struct{ path *string }

func (f pathFlag) String() string { return "" }

func (f pathFlag) Set(value string) error {
	u, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(value, "/") || u.Path == "" || u.Host != "" || strings.ContainsAny(value, "?#") {
		return errors.New("expected a path like /chat")
	}
	*f.path = u.Path
	return nil
}
