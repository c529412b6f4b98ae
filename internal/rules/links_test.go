package rules

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// linked lists the documents whose links are looked at.
var linked = append([]string{"CHANGELOG.md", "bench/README.md", "examples/chat/README.md"}, documents...)

// A link of the documents leads to a file that is there, and to a heading that it has.
func TestLinks(t *testing.T) {
	const bad = "# A title, `code` & more …\n[here](#a-title-code--more-) [nowhere](#title) [file](doc.go) [no file](nothing.md)\n" +
		"```md\n# no heading\n[no link](nothing)\n```\n[no](#no-heading) ![picture](none.png) [away](https://example.com/#x)\n" +
		"## Twice\n## Twice\n[one](#twice) [two](#twice-1) [three](#twice-2)\n`code` \\[x](y)\n"
	wantComplaints(t, linkComplaints("internal/rules/BAD.md", bad),
		"BAD.md:2: there is no heading for #title", "BAD.md:2: nothing.md is not there",
		"BAD.md:7: there is no heading for #no-heading", "BAD.md:7: none.png is not there",
		"BAD.md:10: there is no heading for #twice-2", "BAD.md:11: y is not there")

	for _, pattern := range linked {
		names, err := filepath.Glob(filepath.Join(rootDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			t.Errorf("%s is not there", pattern)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(rootDir, name)
			if err != nil {
				t.Fatal(err)
			}
			report(t, linkComplaints(filepath.ToSlash(rel), string(text)))
		}
	}
}

var codeSpan = regexp.MustCompile("`[^`]*`")

var linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)`)

func linkComplaints(name, text string) []string {
	var complaints []string
	for n, line := range prose(text) {
		for _, match := range linkTarget.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
			target := match[1] + match[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, heading, anchored := strings.Cut(target, "#")
			content := text
			if file != "" {
				at := filepath.Join(rootDir, filepath.FromSlash(path.Join(path.Dir(name), file)))
				info, err := os.Stat(at)
				if err != nil {
					complaints = append(complaints, fmt.Sprintf("%s:%d: %s is not there", name, n, file))
					continue
				}
				if anchored && !info.IsDir() {
					there, err := os.ReadFile(at)
					if err != nil {
						complaints = append(complaints, err.Error())
						continue
					}
					content = string(there)
				}
			}
			if anchored && !anchors(content)[heading] {
				complaints = append(complaints, fmt.Sprintf("%s:%d: there is no heading for #%s", name, n, heading))
			}
		}
	}
	return complaints
}

// prose yields the lines of a Markdown text that are not in a code block, with
// their numbers.
func prose(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n, code := 0, false
		for line := range strings.Lines(text) {
			n++
			fence := strings.HasPrefix(strings.TrimSpace(line), "```")
			if fence {
				code = !code
			}
			if !code && !fence && !yield(n, line) {
				return
			}
		}
	}
}

// anchors returns the anchors that GitHub makes of the headings of a text.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, line := range prose(text) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading))
		unique := anchor
		for i := 1; found[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", anchor, i)
		}
		found[unique] = true
	}
	return found
}
