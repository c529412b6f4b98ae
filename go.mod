module github.com/wschannel/wschannel

go 1.26.0
