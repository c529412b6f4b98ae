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
PATH=$PATH:/usr/sbin # for who is not root

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
	debian "$@" || fail "apt-get install $* failed"
}

# debian PACKAGE...: installs Debian packages. What they would start as services
# is not started: tests start their own.
updated=
debian() {
	local policy=/usr/sbin/policy-rc.d failed=
	echo "setup: apt-get install $*"
	if [[ -z $updated ]]; then
		apt-get -qq update || fail "apt-get update failed"
		updated=yes
	fi
	if [[ -e $policy ]]; then
		policy=
	else
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null || failed=yes
	if [[ -n $policy ]]; then
		rm -f $policy
	fi
	[[ -z $failed ]]
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

# python_packages FILE: installs what the requirements in FILE ask for into
# .bin/python. If PyPI cannot be reached, Debian's websockets will do.
python_packages() {
	local log venv=.bin/python options=(--quiet --disable-pip-version-check --only-binary=:all:)
	if cmp -s "$1" $venv/.installed && $venv/bin/python -c 'import websockets' 2>/dev/null; then
		return
	fi
	if [[ $mode == --user ]]; then
		if debian_websockets; then
			return
		fi
		options+=(--retries 0 --timeout 20)
	elif ! python3 -c 'import ensurepip' 2>/dev/null && [[ $(id -u) -eq 0 ]]; then
		debian python3-venv || fail "apt-get install python3-venv failed"
	fi
	mkdir -p .bin
	if log=$(python3 -m venv --clear $venv 2>&1 && $venv/bin/pip install "${options[@]}" -r "$1" 2>&1); then
		echo "setup: pip install -r $1"
		cp "$1" $venv/.installed
		return
	fi
	rm -rf $venv
	if [[ $mode != --user ]] && ! debian_websockets; then
		if [[ $(id -u) -ne 0 ]] || ! debian python3-websockets; then
			fail "pip install -r $1 failed: $log"
		fi
	fi
}

# debian_websockets: is it there?
debian_websockets() {
	/usr/bin/python3 -c 'import websockets' 2>/dev/null
}

# any COMMAND...: is one of them there?
any() {
	local command
	for command in "$@"; do
		if command -v "$command" >/dev/null; then
			return
		fi
	done
	return 1
}

if need node nodejs npm && need npm nodejs npm; then
	node_packages cmd/wschannel/testdata/node
	node_packages interop/testdata/node
	node_packages internal/wasmtest/run/testdata/node
fi
if need python3 python3 python3-venv; then
	python_packages interop/testdata/python/requirements.txt
fi
any chromium-headless-shell chromium chromium-browser google-chrome ||
	need chromium-headless-shell chromium-headless-shell || true
any firefox-esr firefox || need firefox-esr firefox-esr || true
need nginx nginx || true
need haproxy haproxy || true
need caddy caddy || true
need zsh zsh || true
need fish fish || true
