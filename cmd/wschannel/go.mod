module github.com/wschannel/wschannel/cmd/wschannel

go 1.26.0

require github.com/wschannel/wschannel v0.0.0
