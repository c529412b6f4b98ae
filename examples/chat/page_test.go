//go:build unix

package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wschannel/wschannel/status"
)

var update = flag.Bool("update", false, "draw picture.png anew")

var built = sync.OnceValues(func() ([2][]byte, error) {
	client, wasmExec, err := buildClient()
	return [2][]byte{client, wasmExec}, err
})

// startChat serves the whole program's site, and returns its address.
func startChat(t *testing.T, c *chat) (host string) {
	t.Helper()
	files, err := built()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(site(c.server(), files[0], files[1]))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// says is the condition that somebody's message is the last that is shown.
func says(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".message:not(.pending) p")].at(-1).firstChild.data === %q`, text)
}

const connected = `document.getElementById("link").className === "link open" && document.querySelector("#people li")`

func TestTwoTabsAndATerminal(t *testing.T) {
	b := startBrowser(t)
	host := startChat(t, newChat())

	ada := b.open("http://" + host)
	ada.wait(`document.documentElement.dataset.state === "door"`)
	ada.fill("name", "Ada")
	ada.wait(connected)

	bob := b.open("http://" + host + "/lobby?name=Bob")
	bob.wait(connected)
	ada.wait(`document.querySelectorAll("#people li").length === 2`)

	ada.fill("text", "hello from a tab")
	bob.wait(says("hello from a tab"))
	ada.wait(says("hello from a tab"))

	eve := startTerminal(t, "ws://"+host+"/lobby?name=Eve")
	eve.wait(t, "Ada: hello from a tab")
	eve.wait(t, "* you are Eve in lobby; here: Ada, Bob")
	eve.say(t, "hello from a terminal")
	ada.wait(says("hello from a terminal"))
	bob.wait(says("hello from a terminal"))

	const markup = `<img src=x onerror="document.title='broken'"><b>bold</b>`
	bob.fill("text", markup)
	eve.wait(t, "Bob: "+markup)
	ada.wait(says(markup))
	if n, err := ada.evaluate(`document.querySelectorAll("#messages img, #messages b").length`); n != 0.0 || err != nil {
		t.Errorf("what was written has become %v elements of the page (%v)", n, err)
	}

	eve.leave(t)
	ada.wait(`document.getElementById("messages").lastChild.textContent === "Eve has left"`)
	ada.wait(`document.querySelectorAll("#people li").length === 2`)
}

func TestPageComesBackByItself(t *testing.T) {
	b := startBrowser(t)
	c := newChat()
	host := startChat(t, c)
	ada := b.open("http://" + host + "/lobby?name=Ada")
	ada.wait(connected)
	ada.fill("text", "before")
	ada.wait(says("before"))
	if _, err := ada.evaluate(`document.querySelector(".message").id = "old"`); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	go c.rooms["lobby"].members[0].ch.CloseWith(status.TryAgainLater, "as if it was too slow")
	c.mu.Unlock()
	ada.wait(connected + ` && !document.getElementById("old")`)
	ada.wait(says("before"))
	ada.fill("text", "after")
	ada.wait(says("after"))
}

// A server that is gone takes nothing along: what is said without it is told to
// the next one.
func TestSaidWhileTheServerIsAway(t *testing.T) {
	b := startBrowser(t)
	files, err := built()
	if err != nil {
		t.Fatal(err)
	}
	first, second := newChat().server(), newChat()
	var present atomic.Pointer[http.Handler]
	serve := func(h http.Handler) { present.Store(&h) }
	serve(site(first, files[0], files[1]))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*present.Load()).ServeHTTP(w, r) }))
	defer s.Close()

	ada := b.open(s.URL + "/lobby?name=Ada")
	ada.wait(connected)
	serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "away", http.StatusServiceUnavailable) }))
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ada.wait(`document.getElementById("link").className !== "link open"`)
	ada.fill("text", "one")
	ada.fill("text", "two")
	ada.wait(`[...document.querySelectorAll(".pending p")].map((p) => p.textContent).join() === "one,two"`)
	serve(site(second.server(), files[0], files[1]))
	ada.wait(connected + ` && !document.querySelector(".pending")`)
	ada.wait(`[...document.querySelectorAll(".message p")].map((p) => p.firstChild.data).join() === "one,two"`)
}

// A terminal is the command wschannel connect.
type terminal struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  chan string
	seen []string
}

func startTerminal(t *testing.T, url string) *terminal {
	t.Helper()
	program := filepath.Join(t.TempDir(), "wschannel")
	built, err := exec.Command("go", "build", "-o", program, "github.com/wschannel/wschannel/cmd/wschannel").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, built)
	}
	x := &terminal{cmd: exec.Command(program, "connect", "-protocol", linesProtocol, url), out: make(chan string, 100)}
	x.cmd.Stderr = os.Stderr
	x.in, err = x.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.cmd.Process.Kill(); x.cmd.Wait() })
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			x.out <- s.Text()
		}
		close(x.out)
	}()
	return x
}

// wait waits for a line that ends so.
func (x *terminal) wait(t *testing.T, end string) {
	t.Helper()
	for {
		select {
		case line, more := <-x.out:
			if !more {
				t.Fatalf("the terminal has ended without a line %q after %q", end, x.seen)
			}
			x.seen = append(x.seen, line)
			if strings.HasSuffix(line, end) {
				return
			}
		case <-time.After(hangs):
			t.Fatalf("the terminal shows no line %q after %q", end, x.seen)
		}
	}
}

func (x *terminal) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(x.in, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (x *terminal) leave(t *testing.T) {
	t.Helper()
	x.in.Close()
	for line := range x.out {
		x.seen = append(x.seen, line)
	}
	if err := x.cmd.Wait(); err != nil {
		t.Errorf("the terminal ended with %v", err)
	}
}

// TestPicture draws the picture of the documentation: with -update into it.
func TestPicture(t *testing.T) {
	b := startBrowser(t)
	wide, narrow := look{width: 880, height: 660}, look{width: 370, height: 660, dark: true, phone: true}
	c := newChat()
	clock := time.Date(2026, 5, 4, 9, 41, 0, 0, time.UTC)
	c.now = func() time.Time { return clock }
	host := startChat(t, c)

	grace, ken := enter(t, c, "lobby", "Grace", "").member, enter(t, c, "lobby", "Ken", "").member
	c.say(grace, post{Text: "Good morning! Is the new build out?"})
	c.say(ken, post{Text: "It is, I am testing it."})
	ada := b.open("http://" + host + "/lobby?name=Ada")
	ada.show(wide)
	ada.wait(connected)
	linus := b.open("http://" + host + "/lobby?name=Linus")
	linus.show(narrow)
	linus.wait(connected)
	ada.wait(`document.getElementById("messages").lastChild.textContent === "Linus has joined"`)
	both := func(text string) {
		ada.wait(says(text))
		linus.wait(says(text))
	}
	say := func(tab *tab, text string) {
		tab.fill("text", text)
		both(text)
	}
	say(linus, "Works on my phone.")
	say(ada, "Go on the server, and Go in the browser.")
	say(ada, "I pulled the plug, and it came back by itself.")
	c.say(ken, post{Text: "I am here from a terminal, by the way."})
	c.say(grace, post{Text: "Lovely. Ship it!"})
	both("Lovely. Ship it!")
	for _, tab := range []*tab{ada, linus} {
		if _, err := tab.evaluate(fmt.Sprintf(`{
			document.activeElement.blur();
			const code = document.getElementById("command");
			code.textContent = code.textContent.replace(%q, "localhost:8080");
		}`, host)); err != nil {
			t.Fatal(err)
		}
	}

	const gap = 24
	whole := image.NewNRGBA(image.Rect(0, 0, wide.width+gap+narrow.width, wide.height))
	place(whole, ada.picture(wide), 0)
	place(whole, linus.picture(narrow), wide.width+gap)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, whole); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("picture.png", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// What it looks like depends on the machine's fonts.
	kept, err := os.ReadFile("picture.png")
	if err != nil {
		t.Fatal(err)
	}
	size, err := png.DecodeConfig(bytes.NewReader(kept))
	if err != nil || size.Width != whole.Rect.Dx() || size.Height != whole.Rect.Dy() || len(kept) > 150<<10 {
		t.Errorf("picture.png is %dx%d, %d bytes (%v); want %v, at most 150 KiB: draw it anew with -update", size.Width, size.Height, len(kept), err, whole.Rect.Size())
	}
}

// place draws a picture with round corners, and a thin border so that it stands
// out from any background.
func place(dst draw.Image, src image.Image, x0 int) {
	const radius = 14.0
	border := color.NRGBA{128, 128, 138, 255}
	size := src.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			// How far inside the rounded rectangle the pixel's centre is.
			fromSide := min(float64(x), float64(size.X-1-x)) + .5
			fromEdge := min(float64(y), float64(size.Y-1-y)) + .5
			inside := min(fromSide, fromEdge)
			if fromSide < radius && fromEdge < radius {
				inside = radius - math.Hypot(radius-fromSide, radius-fromEdge)
			}
			c := color.NRGBAModel.Convert(src.At(src.Bounds().Min.X+x, src.Bounds().Min.Y+y)).(color.NRGBA)
			share := 0.4 * min(max(1.5-inside, 0), 1) // of the border
			mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-share) + float64(b)*share) }
			dst.Set(x0+x, y, color.NRGBA{
				mix(c.R, border.R), mix(c.G, border.G), mix(c.B, border.B),
				uint8(255 * min(max(inside+.5, 0), 1)),
			})
		}
	}
}
