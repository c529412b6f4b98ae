module github.com/wschannel/wschannel/internal/nettest

go 1.26.0

require (
	github.com/wschannel/wschannel v0.0.0
	golang.org/x/net v0.62.0
)

require (
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/segmentio/asm v1.2.1 // indirect
	golang.org/x/sys v0.50.0 // indirect
)
