#!/usr/bin/env bash
# Installs what the tests can use besides Go, make and a C compiler:
#
#	setup.sh          everything; fails if something cannot be had
#	setup.sh --user   only what needs no root, and without complaint: tests that
#	                  miss something say so when they are skipped
#
# What is there already is left alone, so running it again costs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mode=${1:-}

fail() {
	echo "setup: $*" >&2
	exit 1
}

# need COMMAND PACKAGE...: if COMMAND is missing, installs Debian packages.
need() {
	local command=$1
	shift
	if command -v "$command" >/dev/null; then
		return
	fi
	if [[ $mode == --user ]]; then
		return 1
	fi
	if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
		fail "$command is missing, and only root can install it, with apt-get (packages: $*)"
	fi
	echo "setup: apt-get install $*"
	apt-get -qq update || fail "apt-get update failed"
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null ||
		fail "apt-get install $* failed"
}

# node_packages FOLDER: installs what FOLDER/package.json asks for.
node_packages() {
	local log stamp=$1/node_modules/.installed options=(--omit=dev --no-package-lock --no-audit --no-fund --loglevel=error)
	if cmp -s "$1/package.json" "$stamp"; then
		return
	fi
	if [[ $mode == --user ]]; then
		options+=(--fetch-retries=0 --fetch-timeout=20000)
	fi
	if log=$(cd "$1" && npm install "${options[@]}" 2>&1); then
		echo "setup: npm install in $1"
		cp "$1/package.json" "$stamp"
	elif [[ $mode != --user ]]; then
		fail "npm install in $1 failed: $log"
	fi
}

if need node nodejs npm && need npm nodejs npm; then
	node_packages cmd/wschannel/testdata/node
fi
