module github.com/wschannel/wschannel/cmd/wschannel

go 1.26.0

require (
	github.com/ergochat/readline v0.1.3
	github.com/hinshun/vt10x v0.0.0-20220301184237-5011da428d02
	github.com/rogpeppe/go-internal v1.16.0
	github.com/wschannel/wschannel v0.0.0
	golang.org/x/term v0.48.0
)

require (
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/segmentio/asm v1.2.1 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.44.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)
