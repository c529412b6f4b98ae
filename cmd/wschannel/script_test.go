package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// With the race detector, each program would sleep for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	testscript.Main(m, map[string]func(){"wschannel": main})
}

// TestScripts runs the transcripts in testdata/script. Besides testscript's own
// commands they have:
//
//	exits STATUS PROGRAM ARG...   exec, with the exit status that is wanted
//	serve ARG...                  wschannel serve in the background; sets $URL
//	interrupt                     ends it in good order and shows its standard error
//	peer NAME                     one of scriptPeers, in the background; sets $URL
//	unixpeer FILE                 the peer listener on a unix socket
//	heard PATTERN                 waits until what that peer has heard matches
//	certificate                   writes cert.pem and key.pem, for 127.0.0.1
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Values["background"] = &background{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       scriptExits,
			"serve":       scriptServe,
			"interrupt":   scriptInterrupt,
			"peer":        scriptPeer,
			"heard":       scriptHeard,
			"unixpeer":    scriptUnixPeer,
			"certificate": scriptCertificate,
		},
	})
}

// A background is what runs beside a script.
type background struct {
	server *exec.Cmd     // the one that was started last
	stderr *bytes.Buffer // of that server, after the first line
	read   chan struct{} // closed when all of it was read
	heard  *output       // by the peer that was started last
}

func beside(ts *testscript.TestScript) *background { return ts.Value("background").(*background) }

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	server := exec.Command("wschannel", append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...)
	server.Dir = ts.Getenv("WORK")
	pipe, err := server.StderrPipe()
	ts.Check(err)
	ts.Check(server.Start())
	rest, read := new(bytes.Buffer), make(chan struct{})
	ts.Defer(func() { // has no effect on one that has ended
		server.Process.Kill()
		<-read
		server.Wait()
	})
	lines := bufio.NewReader(pipe)
	first, err := lines.ReadString('\n')
	go func() {
		defer close(read)
		lines.WriteTo(rest)
	}()
	url, ok := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
	if err != nil || !ok {
		ts.Fatalf("serve says %q and %v", first, err)
	}
	ts.Setenv("URL", url)
	b := beside(ts)
	b.server, b.stderr, b.read = server, rest, read
}

func scriptInterrupt(ts *testscript.TestScript, _ bool, _ []string) {
	b := beside(ts)
	ts.Check(b.server.Process.Signal(os.Interrupt))
	<-b.read
	ts.Stderr().Write(b.stderr.Bytes())
	ts.Check(b.server.Wait())
}

func scriptPeer(ts *testscript.TestScript, _ bool, args []string) {
	peer, ok := scriptPeers[args[0]]
	if !ok {
		ts.Fatalf("there is no peer %s", args[0])
	}
	b := beside(ts)
	b.heard = newOutput()
	server := httptest.NewServer(peer(b.heard))
	ts.Defer(server.Close)
	ts.Setenv("URL", "ws"+strings.TrimPrefix(server.URL, "http")+"/")
	ts.Setenv("HOST", strings.TrimPrefix(server.URL, "http://"))
}

func scriptUnixPeer(ts *testscript.TestScript, _ bool, args []string) {
	b := beside(ts)
	b.heard = newOutput()
	listener, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	server := &http.Server{Handler: scriptPeers["listener"](b.heard)}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
}

func scriptHeard(ts *testscript.TestScript, _ bool, args []string) {
	heard := beside(ts).heard
	re := regexp.MustCompile("(?m)" + args[0])
	timeout := time.After(patience)
	for {
		text, changed := heard.now()
		if re.MatchString(text) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			ts.Fatalf("the peer has heard %q after %v", text, patience)
		}
	}
}

func scriptCertificate(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
}
