package rules

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"testing"
)

// rootVersion is what other modules require of the root module. go.work says
// that it is the folder, for this version and no other.
const rootVersion = "v0.0.0"

// goMod is what `go mod edit -json` prints, in part.
type goMod struct {
	Module  struct{ Path string }
	Require []struct{ Path, Version string }
	Replace []struct{ Old struct{ Path string } }
}

func TestModules(t *testing.T) {
	var bad goMod
	err := json.Unmarshal([]byte(`{
		"Module": {"Path": "github.com/wschannel/wschannel"},
		"Require": [{"Path": "example.com/x", "Version": "v1.0.0"}],
		"Replace": [{"Old": {"Path": "example.com/x"}, "New": {"Path": "../x"}}]
	}`), &bad)
	if err != nil {
		t.Fatal(err)
	}
	wantComplaints(t, moduleComplaints(".", bad), "requires example.com/x", "replaces example.com/x")
	bad.Require[0].Path = rootModule
	wantComplaints(t, moduleComplaints("nested", bad), "nested/go.mod: the module is called", "requires version v1.0.0", "replaces example.com/x")

	err = walk(func(name string) error {
		if path.Base(name) != "go.mod" {
			return nil
		}
		var m goMod
		if err := json.Unmarshal([]byte(goCommand(t, nil, "mod", "edit", "-json", name)), &m); err != nil {
			return err
		}
		report(t, moduleComplaints(path.Dir(name), m))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func moduleComplaints(dir string, m goMod) []string {
	var complaints []string
	add := func(format string, args ...any) {
		complaints = append(complaints, path.Join(dir, "go.mod")+": "+fmt.Sprintf(format, args...))
	}
	if want := importPath(dir); m.Module.Path != want {
		add("the module is called %s; want %s", m.Module.Path, want)
	}
	for _, r := range m.Require {
		if dir == "." && !slices.Contains(thirdParty, r.Path) {
			add("requires %s, and so would every user's module (the list is in internal/rules/imports_test.go)", r.Path)
		}
	}
	for _, r := range m.Require {
		if r.Path == rootModule && r.Version != rootVersion {
			add("requires version %s of %s; want %s, as in go.work", r.Version, r.Path, rootVersion)
		}
	}
	for _, r := range m.Replace {
		add("replaces %s: that belongs into go.work", r.Old.Path)
	}
	return complaints
}
