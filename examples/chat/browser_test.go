//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// hangs is how long a test waits for what comes within a second or two.
const hangs = 60 * time.Second

// A browser is a Chromium that is told what to do through a pair of pipes. As
// they are closed it ends, so it does not outlive the test.
type browser struct {
	t     *testing.T
	tell  io.Writer
	mu    sync.Mutex
	asked map[int]chan answer
	n     int
	over  chan struct{}
}

type answer struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
}

// startBrowser starts one, for as long as the test runs.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("needs chromium-headless-shell: make setup")
	}
	dir, err := os.MkdirTemp("", "chat")
	if err != nil {
		t.Fatal(err)
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--remote-debugging-pipe", "--user-data-dir="+dir,
		"--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding")
	if os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--no-sandbox") // which root cannot have
	}
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "TZ=UTC")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, tell: ourOut, asked: map[int]chan answer{}, over: make(chan struct{})}
	go b.listen(ourIn)
	t.Cleanup(func() {
		ourOut.Close()
		timer := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		ourIn.Close()
		<-b.over
		os.RemoveAll(dir) // its last processes may still be writing: then it stays
	})
	return b
}

// listen reads the browser's answers, each of which a zero byte ends.
func (b *browser) listen(r io.Reader) {
	defer close(b.over)
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var a answer
		if json.Unmarshal(text[:len(text)-1], &a) != nil || a.ID == 0 {
			continue // an event
		}
		b.mu.Lock()
		c := b.asked[a.ID]
		delete(b.asked, a.ID)
		b.mu.Unlock()
		c <- a
	}
}

// call asks the browser, in a tab if session is one, for the result of a method.
func (b *browser) call(session, method string, params map[string]any, result any) error {
	c := make(chan answer, 1)
	b.mu.Lock()
	b.n++
	id := b.n
	b.asked[id] = c
	request := map[string]any{"id": id, "method": method}
	if params != nil {
		request["params"] = params
	}
	if session != "" {
		request["sessionId"] = session
	}
	text, err := json.Marshal(request)
	if err == nil {
		_, err = b.tell.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case a := <-c:
		if a.Error != nil {
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-b.over:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-time.After(hangs):
		return fmt.Errorf("%s: no answer within %v", method, hangs)
	}
}

func (b *browser) must(session, method string, params map[string]any, result any) {
	b.t.Helper()
	if err := b.call(session, method, params, result); err != nil {
		b.t.Fatal(err)
	}
}

// A tab is a page of a browser.
type tab struct {
	*browser
	session string
}

// open opens a URL in a new tab.
func (b *browser) open(url string) *tab {
	b.t.Helper()
	var target struct{ TargetID string }
	b.must("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.must("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	t := &tab{b, attached.SessionID}
	// As if it were the one in front: otherwise typing goes nowhere.
	b.must(t.session, "Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	b.must(t.session, "Page.navigate", map[string]any{"url": url}, nil)
	return t
}

// evaluate evaluates an expression, or waits for a promise.
func (t *tab) evaluate(expression string) (any, error) {
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := t.call(t.session, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true,
	}, &r)
	if err == nil && r.ExceptionDetails != nil {
		err = fmt.Errorf("%s %s", r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value, err
}

// wait waits until a condition of the page is true.
func (t *tab) wait(condition string) {
	t.t.Helper()
	guard := time.Now().Add(hangs)
	for {
		value, err := t.evaluate(`new Promise((resolve) => {
			const done = () => { try { return ` + condition + ` } catch { return false } };
			if (done()) return resolve(true);
			const watch = new MutationObserver(() => done() && (watch.disconnect(), resolve(true)));
			watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
			setTimeout(() => (watch.disconnect(), resolve(false)), 1000);
		})`)
		if value == true {
			return
		}
		// An error may mean that a page has just taken the place of another.
		if time.Now().After(guard) {
			text, _ := t.evaluate("document.body.innerText")
			t.t.Fatalf("waited %v for %s (%v); the page says:\n%v", hangs, condition, err, text)
		}
	}
}

// fill types a text into an input and sends its form.
func (t *tab) fill(id, text string) {
	t.t.Helper()
	if _, err := t.evaluate(fmt.Sprintf(`document.getElementById(%q).focus()`, id)); err != nil {
		t.t.Fatal(err)
	}
	t.must(t.session, "Input.insertText", map[string]any{"text": text}, nil)
	for _, kind := range []string{"keyDown", "keyUp"} {
		t.must(t.session, "Input.dispatchKeyEvent", map[string]any{
			"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13,
		}, nil)
	}
}

// A look is how a page is shown.
type look struct {
	width, height int
	dark          bool
	phone         bool
}

func (t *tab) show(l look) {
	t.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	t.must(t.session, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": l.width, "height": l.height, "deviceScaleFactor": 1, "mobile": l.phone,
	}, nil)
	t.must(t.session, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// picture returns what the page looks like.
func (t *tab) picture(l look) image.Image {
	t.t.Helper()
	t.show(l)
	t.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
	var shot struct{ Data string }
	t.must(t.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		t.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.t.Fatal(err)
	}
	return img
}
