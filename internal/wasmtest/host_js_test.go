package wasmtest

import (
	"fmt"
	"os"
	"strings"
	"syscall/js"
	"testing"
)

// browser says that the platform's WebSocket does the work, which sees less
// than an engine of our own.
const browser = true

// firefox says that it is Firefox that does it.
var firefox = strings.Contains(userAgent(), "Firefox")

func userAgent() string {
	navigator := js.Global().Get("navigator")
	if !navigator.Truthy() {
		return "" // Node.js 20
	}
	return navigator.Get("userAgent").String()
}

func TestMain(m *testing.M) {
	origin = os.Getenv("WASMTEST_ORIGIN")
	if origin == "" {
		fmt.Println("these tests need their servers: see the package's documentation")
		os.Exit(1)
	}
	os.Exit(m.Run())
}
