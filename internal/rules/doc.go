// Package rules holds the rules of this repository, as tests:
//
//   - which package may import which, on native platforms and in the browser;
//     a minimal browser program stays small
//   - what the modules may require
//   - everything exported is documented
//   - the exported API is what testdata/api says, so that a change shows in review
//   - the Go code in README.md and its companions compiles, and runs in tests word
//     for word; their links lead somewhere
//   - docs/behaviours.md, docs/conformance.md and docs/compression.md name tests
//     that exist, and leave nothing out
//   - files stay small and are named after what is in them; no test sleeps
//
// Each rule is a function from source text to a list of complaints. It is tested
// on a bad example first, and then applied to the repository.
package rules
