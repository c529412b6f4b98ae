// Package guides runs the Go code of README.md and of the guides in docs: the
// blocks there are parts of the tests and examples here, or of those beside the
// packages that they are about, and internal/rules holds the texts to each other.
//
// The blocks connect to hosts such as example.com, as a reader's program would.
// Here these are handlers in the same process, behind a proxy that the
// environment names, with certificates that it tells to trust.
package guides
