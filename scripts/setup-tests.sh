#!/usr/bin/env bash
# Installs what `make test` needs beside Go, and nothing that is there already: a C compiler (for
# the race detector), a Django to compare with and a Chromium to ask. `go test ./...` alone needs
# none of them.
set -eu -o pipefail

missing=()
need() { # need COMMAND PACKAGE...: the packages are missing when the command fails
	local probe=$1
	shift
	bash -c "$probe" >/dev/null 2>&1 || missing+=("$@")
}

need 'command -v "$(go env CC)"' gcc libc6-dev
# -I, because the folder called django here is a package to Python, too.
need '/usr/bin/python3 -I -c "import django.conf"' python3-django
need 'command -v chromium' chromium

if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

if ! command -v apt-get >/dev/null; then
	echo "tests need what this machine has not; install what Debian calls: ${missing[*]}" >&2
	echo "hint: go test ./... runs without them and says what it skips" >&2
	exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "tests need packages that only root can install: sudo apt-get install ${missing[*]}" >&2
		echo "hint: go test ./... runs without them and says what it skips" >&2
		exit 1
	fi
	as_root=(sudo -n)
fi

apt() {
	"${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null
}

echo "installing for tests: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "installing ${missing[*]} did not work" >&2
	exit 1
fi
