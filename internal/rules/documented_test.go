package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestDocumented(t *testing.T) {
	bad := example(t, "p/p.go", `package p
const A = 1
// A group.
const (
	B = iota // says what it is
	C
	d
)
var E, F = 1, 2
type G struct {
	H int
	// I has a comment.
	I, J int
	k int
	error
}
func (g *G) M() {}
func (g G) n() {}
// L
type L interface {
	N()
	error
}
const (
	// XMin to XMax limit x.
	XMin = 0
	XMax = 1
	Max = 2
)
func O() {}
type p[T any] struct{ Q int }
func (p[T]) R() {}
type (
	// S is documented.
	S int
	T int
)
//go:noinline
func U() {}
`)
	wantComplaints(t, documentationComplaints([]*file{bad}),
		"2:7: A ", "6:2: C ", "9:5: E ", "9:8: F ", "10:6: G ", "11:2: H ", "17:13: M ", "21:2: N ", "28:2: Max ", "30:6: O ", "36:2: T ", "39:6: U ",
		"package p has no comment")

	report(t, documentationComplaints(tree(t)))
}

// documentationComplaints looks at all files of the public packages, whatever
// platform they are for. A constant, variable, field or method of an interface
// may also be documented by a comment at the end of its line, or by that of a
// neighbour which mentions it by name.
func documentationComplaints(files []*file) []string {
	var complaints []string
	for _, f := range files {
		if !f.inRoot() || !isPublic(f) {
			continue
		}
		check := func(name *ast.Ident, docs ...*ast.CommentGroup) {
			documented := slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return c.Text() != "" })
			if name.IsExported() && !documented {
				complaints = append(complaints, fmt.Sprintf("%s: %s has no doc comment", f.at(name), name.Name))
			}
		}
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if receiver := receiverName(decl); receiver == nil || receiver.IsExported() {
					check(decl.Name, decl.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					checkSpec(decl, spec, check)
				}
			}
		}
	}
	for _, dir := range publicPackages(files) {
		documented := func(f *file) bool {
			return f.dir() == dir && !f.isTest() && f.syntax.Doc.Text() != ""
		}
		if !slices.ContainsFunc(files, documented) {
			complaints = append(complaints, fmt.Sprintf("package %s has no comment on any of its package clauses", dir))
		}
	}
	return complaints
}

func checkSpec(decl *ast.GenDecl, spec ast.Spec, check func(*ast.Ident, ...*ast.CommentGroup)) {
	var alone *ast.CommentGroup // the declaration's comment, unless it is a group's
	if decl.Lparen == token.NoPos {
		alone = decl.Doc
	}
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		var neighbours []*ast.CommentGroup
		for _, other := range decl.Specs {
			neighbours = append(neighbours, other.(*ast.ValueSpec).Doc)
		}
		for _, name := range spec.Names {
			if !mentioned(name, neighbours) {
				check(name, alone, spec.Doc, spec.Comment)
			}
		}
	case *ast.TypeSpec:
		check(spec.Name, alone, spec.Doc)
		if spec.Name.IsExported() {
			checkMembers(spec.Type, check)
		}
	}
}

// checkMembers looks at the fields of a struct and the methods of an interface.
func checkMembers(typ ast.Expr, check func(*ast.Ident, ...*ast.CommentGroup)) {
	var members []*ast.Field
	switch t := typ.(type) {
	case *ast.StructType:
		members = t.Fields.List
	case *ast.InterfaceType:
		members = t.Methods.List
	}
	var neighbours []*ast.CommentGroup
	for _, m := range members {
		neighbours = append(neighbours, m.Doc)
	}
	for _, m := range members {
		for _, name := range m.Names { // what is embedded has none
			if !mentioned(name, neighbours) {
				check(name, m.Doc, m.Comment)
			}
		}
	}
}

// mentioned says whether one of the comments has a name as a word.
func mentioned(name *ast.Ident, comments []*ast.CommentGroup) bool {
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }
	return slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool {
		return slices.Contains(strings.FieldsFunc(c.Text(), notLetter), name.Name)
	})
}

// receiverName returns the name of the type that a method belongs to, nil for a function.
func receiverName(decl *ast.FuncDecl) *ast.Ident {
	if decl.Recv == nil {
		return nil
	}
	t := decl.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x
		default:
			return nil
		}
	}
}
