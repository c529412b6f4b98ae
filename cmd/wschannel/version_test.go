package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	built := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for _, test := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"of a tag", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "wschannel v1.2.3" + built},
		{"of a clone", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
			{Key: "vcs.modified", Value: "true"},
		}}, "wschannel (devel) commit 0123456789ab of 2026-01-02 with changes" + built},
		{"not known", debug.BuildInfo{}, "wschannel (unknown version)" + built},
	} {
		if got := version(&test.info); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
