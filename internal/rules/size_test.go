package rules

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// maxBrowserSize is how large a minimal program for the browser may be, in bytes
// when gzipped. The README tells how large it is.
const maxBrowserSize = 830_000

func TestBrowserSize(t *testing.T) {
	program := filepath.Join(t.TempDir(), "minimal.wasm")
	goCommand(t, []string{"GOOS=js", "GOARCH=wasm"}, "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./internal/wasmtest/minimal")
	f, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := &counter{}
	zip, err := gzip.NewWriterLevel(size, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(zip, f); err != nil {
		t.Fatal(err)
	}
	zip.Close()
	if size.n > maxBrowserSize {
		t.Errorf("a minimal program has %d bytes when gzipped, at most %d are allowed: go list -deps with GOOS=js tells what it links", size.n, maxBrowserSize)
	}
}

// A counter counts what is written to it.
type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}
