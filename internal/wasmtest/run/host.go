package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A host is what can run the tests.
type host struct {
	name     string
	programs []string // the first one that is there is taken
	page     string   // what a browser has to open
	setUp    func(dir string) (args []string, err error)
}

var hosts = []host{
	{"chromium", chromiums, "index.html", setUpChromium},
	{"chromium-worker", chromiums, "worker.html", setUpChromium},
	{"firefox", firefoxes, "index.html", setUpFirefox},
	{"firefox-worker", firefoxes, "worker.html", setUpFirefox},
	{"node", []string{"node"}, "", nil},
}

var (
	chromiums = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}
	firefoxes = []string{"firefox-esr", "firefox"}
)

func hostNamed(name string) (*host, error) {
	var names []string
	for i := range hosts {
		if hosts[i].name == name {
			return &hosts[i], nil
		}
		names = append(names, hosts[i].name)
	}
	return nil, fmt.Errorf("WASM_HOST is %q; expected one of %s", name, strings.Join(names, ", "))
}

func (h *host) isNode() bool { return h.page == "" }

// find returns the path of the host's program.
func (h *host) find() (string, error) {
	for _, name := range h.programs {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if h.isNode() {
			if _, err := os.Stat(filepath.Join(nodeDir(), "node_modules", "ws", "package.json")); err != nil {
				return "", errors.New("needs Node.js and its package ws: make setup")
			}
		}
		return path, nil
	}
	return "", errors.New("needs " + h.programs[0] + ": make setup")
}

// start starts the host's program, which may write into dir.
func (h *host) start(program, dir string, s *server, args []string) (*process, error) {
	if h.isNode() {
		// The program's arguments and environment have to fit into 8 KiB.
		env := []string{"WASMTEST_ORIGIN=" + s.origin()}
		options := []string{
			"--require", filepath.Join(nodeDir(), "websocket.cjs"),
			filepath.Join(goRoot(), "lib", "wasm", "wasm_exec_node.js"),
		}
		return start(env, true, program, append(options, args...)...)
	}
	options, err := h.setUp(dir)
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	return start(env, false, program, append(options, s.page(h.page))...)
}

// goRoot is where the Go distribution is.
func goRoot() string { return askGo("env", "GOROOT") }

// nodeDir has what Node.js needs beside Go's own files.
func nodeDir() string {
	dir := askGo("list", "-f", "{{.Dir}}", "github.com/wschannel/wschannel/internal/wasmtest/run")
	return filepath.Join(dir, "testdata", "node")
}

// askGo returns what the go command says.
func askGo(args ...string) string {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return "" // what is looked for there is not found
	}
	return strings.TrimSpace(string(out))
}

// setUpChromium returns options: nothing is sent home, and nothing is slowed
// down for being out of sight.
func setUpChromium(dir string) ([]string, error) {
	options := []string{
		"--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--remote-debugging-port=0", // without it, it would not stay
		"--user-data-dir=" + filepath.Join(dir, "profile"),
	}
	if os.Geteuid() == 0 {
		options = append(options, "--no-sandbox") // which root cannot have
	}
	return options, nil
}

// setUpFirefox makes a profile with such settings.
func setUpFirefox(dir string) ([]string, error) {
	profile := filepath.Join(dir, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		return nil, err
	}
	settings := strings.Join([]string{
		// Otherwise it waits ever longer before it connects to a server again
		// that had failed, as many of the tests' servers do.
		`user_pref("network.websocket.delay-failed-reconnects", false);`,
		`user_pref("app.update.disabledForTesting", true);`,
		`user_pref("app.normandy.enabled", false);`,
		`user_pref("browser.aboutwelcome.enabled", false);`,
		`user_pref("browser.shell.checkDefaultBrowser", false);`,
		`user_pref("browser.startup.homepage_override.mstone", "ignore");`,
		`user_pref("browser.safebrowsing.update.enabled", false);`,
		`user_pref("datareporting.policy.dataSubmissionEnabled", false);`,
		`user_pref("dom.min_background_timeout_value", 4);`,
		`user_pref("dom.timeout.enable_budget_timer_throttling", false);`,
		`user_pref("extensions.getAddons.cache.enabled", false);`,
		`user_pref("network.captive-portal-service.enabled", false);`,
		`user_pref("network.connectivity-service.enabled", false);`,
		`user_pref("services.settings.server", "data:,");`,
		`user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);`,
		"",
	}, "\n")
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(settings), 0o600); err != nil {
		return nil, err
	}
	return []string{"--headless", "--no-remote", "--profile", profile}, nil
}
