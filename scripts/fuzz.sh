#!/usr/bin/env bash
# Runs every fuzz target, those of nested modules too, for the time given, one after the other.
set -eu -o pipefail
cd "$(dirname "$0")/.."

time=${1:-15s}
targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort)
if [ -z "$targets" ]; then
	echo "no fuzz targets"
	exit 0
fi

while IFS= read -r target; do # ./cookie/line_test.go:func FuzzLine
	folder=$(dirname "${target%%:*}")
	name=${target##*func }
	echo "== $folder $name for $time"
	(cd "$folder" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x . </dev/null)
done <<<"$targets"
