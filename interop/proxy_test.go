package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A proxyKind is a program that can be a reverse proxy.
type proxyKind struct {
	name      string
	program   string
	configure func(t *testing.T, s setup) (file, text string)
	command   func(dir, file string) []string
	gone      int    // the status when the backend is down
	says      string // what is in the body then, "" for nothing
	binds     bool   // it listens by itself
	patient   bool   // it drops nothing because it is idle
	polite    bool   // it tells clients with 1001 that it is stopped
}

// A setup is what is to be changed in the configuration of docs/proxies.md.
type setup struct {
	dir           string
	authority     authority
	backend       string
	plain, secure string   // addresses of the listeners
	idle          string   // the time-out, "" for that of the docs
	without       []string // what is left out
}

var nginx = proxyKind{
	name:    "nginx",
	program: "nginx",
	gone:    502,
	says:    "Bad Gateway",
	configure: func(t *testing.T, s setup) (file, text string) {
		text = documented(t, "nginx", map[string]string{
			"listen 443 ssl;":        "listen " + s.plain + ";\n    listen " + s.secure + " ssl http2;",
			"/etc/ssl/chat.pem":      s.authority.certFile,
			"/etc/ssl/chat.key":      s.authority.keyFile,
			"127.0.0.1:8080":         s.backend,
			"proxy_read_timeout 60s": "proxy_read_timeout " + s.idle,
		})
		user := ""
		if os.Getuid() == 0 {
			user = "user root;\n" // nobody else may read what is in our folder
		}
		var temp strings.Builder
		for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			fmt.Fprintf(&temp, "    %s_temp_path %s;\n", what, filepath.Join(s.dir, what))
		}
		return "nginx.conf", "daemon off;\nworker_processes 1;\n" + user + "error_log stderr;\npid " + filepath.Join(s.dir, "pid") + ";\n" +
			"events {}\nhttp {\n    access_log off;\n" + temp.String() + text + "}\n"
	},
	command: func(dir, file string) []string { return []string{"-e", "stderr", "-p", dir, "-c", file} },
}

var haproxy = proxyKind{
	name:    "HAProxy",
	program: "haproxy",
	gone:    503,
	says:    "No server is available",
	configure: func(t *testing.T, s setup) (file, text string) {
		return "haproxy.cfg", documented(t, "haproxy", map[string]string{
			"bind :443":           fmt.Sprintf("bind fd@%d\n    bind fd@%d", firstInherited, firstInherited+1),
			"/etc/ssl/chat.pem":   s.authority.bothFile,
			"127.0.0.1:8080":      s.backend,
			"timeout tunnel  60s": "timeout tunnel  " + s.idle,
		})
	},
	command: func(dir, file string) []string { return []string{"-q", "-db", "-f", file} },
}

var caddy = proxyKind{
	name:    "Caddy",
	program: "caddy",
	gone:    502,
	binds:   true,
	patient: true,
	polite:  true,
	configure: func(t *testing.T, s setup) (file, text string) {
		const tls = "    tls /etc/ssl/chat.pem /etc/ssl/chat.key\n"
		plain := documented(t, "caddyfile", map[string]string{
			"chat.example.com": "http://" + s.plain,
			"127.0.0.1:8080":   s.backend,
			tls:                "",
		})
		return "Caddyfile", "{\n    admin off\n    auto_https off\n    storage file_system " + s.dir + "\n}\n" + plain + documented(t, "caddyfile", map[string]string{
			"chat.example.com":  "https://" + s.secure,
			"127.0.0.1:8080":    s.backend,
			"/etc/ssl/chat.pem": s.authority.certFile,
			"/etc/ssl/chat.key": s.authority.keyFile,
		})
	},
	command: func(dir, file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} },
}

// documented returns the configuration in docs/proxies.md with replacements.
func documented(t *testing.T, language string, replacements map[string]string) string {
	t.Helper()
	docs, err := os.ReadFile("../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(docs), "```"+language+"\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatalf("docs/proxies.md has no configuration for %s", language)
	}
	for from, to := range replacements {
		if !strings.Contains(block, from) {
			t.Fatalf("the configuration for %s in docs/proxies.md has no %q", language, from)
		}
		block = strings.Replace(block, from, to, 1)
	}
	return block
}

// A proxy is a running one.
type proxy struct {
	host       string // of the listener without TLS
	secureHost string
	authority
	kill func()
}

// path is where the proxies pass requests on.
const path = "/chat"

func (p *proxy) url() string       { return "ws://" + p.host + path }
func (p *proxy) secureURL() string { return "wss://" + p.secureHost + path }

// start runs a proxy in front of a backend until the end of the test.
func (k proxyKind) start(t *testing.T, s setup) *proxy {
	t.Helper()
	program, err := exec.LookPath(k.program)
	if err != nil {
		// Debian's place, which is not in everybody's path.
		program, err = exec.LookPath("/usr/sbin/" + k.program)
	}
	if err != nil {
		missing(t, k.name, err)
	}
	// The listeners are ours, so that no port is taken away in between and
	// connections wait until the proxy is up.
	plain, plainFile := listener(t)
	secure, secureFile := listener(t)
	s.authority, s.plain, s.secure, s.dir = newAuthority(t), plain, secure, t.TempDir()
	if s.idle == "" {
		s.idle = "60s"
	}
	file, text := k.configure(t, s)
	for _, line := range s.without {
		if !strings.Contains(text, line) {
			t.Fatalf("the configuration has no %q", line)
		}
		text = strings.Replace(text, line, "", 1)
	}
	file = filepath.Join(s.dir, file)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	cmd, err := keep(program, k.command(s.dir, file)...)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.ExtraFiles = []*os.File{plainFile, secureFile}
	// nginx takes these for the ones of its predecessor.
	cmd.Env = append(cmd.Env, fmt.Sprintf("NGINX=%d;%d;", firstInherited, firstInherited+1))
	// Caddy writes there what it would write to the home folder.
	cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+s.dir, "XDG_DATA_HOME="+s.dir)
	if k.binds {
		plainFile.Close()
		secureFile.Close()
		cmd.ExtraFiles = nil
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	plainFile.Close()
	secureFile.Close()
	stopped := make(chan struct{})
	killed := false
	go func() {
		defer close(stopped)
		cmd.Wait()
	}()
	p := &proxy{host: plain, secureHost: secure, authority: s.authority}
	p.kill = func() {
		select {
		case <-stopped:
			if !killed {
				t.Errorf("%s has ended by itself", k.name)
			}
		default:
		}
		killed = true
		stdin.Close()
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Errorf("%s does not end", k.name)
			cmd.Process.Kill()
			<-stopped
		}
	}
	if k.binds {
		p.await(t, stopped)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s with\n%s\nhas said:\n%s", k.name, text, log.String())
		}
	})
	return p
}

// await waits until the proxy listens.
func (p *proxy) await(t *testing.T, stopped <-chan struct{}) {
	t.Helper()
	ctx := patiently(t)
	for _, addr := range []string{p.host, p.secureHost} {
		for {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-stopped:
				t.Fatal("it has ended by itself")
			case <-ctx.Done():
				t.Fatal(err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// listener returns a listening socket and its address.
func listener(t *testing.T) (addr string, file *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the file is another one
	file, err = l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), file
}
