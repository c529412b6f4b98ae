module github.com/wschannel/wschannel/interop

go 1.26.0

require github.com/wschannel/wschannel v0.0.0
