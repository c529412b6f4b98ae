module github.com/wschannel/wschannel/internal/nettest

go 1.26.0

require (
	github.com/wschannel/wschannel v0.0.0
	golang.org/x/net v0.62.0
)
