#!/usr/bin/env bash
# Runs every fuzz target of the workspace for a time (30s) or a number of inputs (2000x):
#
#	fuzz.sh TIME
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# go test -list prints the names of a package's targets, then a line that names the package.
targets=$(go test -vet=off -list '^Fuzz' work | awk '
	/^Fuzz/ { names[n++] = $1 }
	/^ok/   { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }')

while read -r package target; do
	if [[ -n $target ]]; then
		echo "fuzz $package $target"
		log=$(go test -vet=off -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 5s "$package" 2>&1) || {
			echo "$log"
			exit 1
		}
	fi
done <<<"$targets"
