package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wschannel/wschannel"
)

// tellRefusal says why there is no channel, and what the server has said.
func (p *program) tellRefusal(err error) int {
	refused, ok := errors.AsType[*wschannel.HandshakeError](err)
	if !ok || refused.StatusCode == http.StatusSwitchingProtocols {
		return p.fail(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "wschannel: the server refused with status %d", refused.StatusCode)
	if text := http.StatusText(refused.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if location := http.Header(refused.Header).Get("Location"); location != "" {
		fmt.Fprintf(&b, ", and points to %s", harmless(location))
	}
	b.WriteString("\n")
	body := bytes.TrimSpace(bytes.ReplaceAll(refused.Body, []byte("\r\n"), []byte("\n")))
	if len(body) > 0 {
		for line := range strings.Lines(harmlessLines(string(body)) + "\n") {
			b.WriteString("  " + line)
		}
	}
	io.WriteString(p.stderr, b.String())
	return exitFailed
}
