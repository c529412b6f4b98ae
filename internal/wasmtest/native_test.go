//go:build !js

package wasmtest

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wschannel/wschannel/internal/wasmtest/servers"
)

// browser says that the platform's WebSocket does the work, which sees less
// than an engine of our own.
const browser = false

// firefox says that it is Firefox that does it.
const firefox = false

func TestMain(m *testing.M) {
	s := httptest.NewServer(servers.Handler())
	origin = "ws" + strings.TrimPrefix(s.URL, "http")
	code := m.Run()
	s.CloseClientConnections()
	s.Close()
	os.Exit(code)
}
