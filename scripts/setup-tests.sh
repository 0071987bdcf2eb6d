#!/usr/bin/env bash
# Installs what `make test` needs beside Go, and nothing that is there already: a C compiler (for
# the race detector), a Django to compare with and a Chromium to ask. `go test ./...` alone needs
# none of them.
set -eu -o pipefail
cd "$(dirname "$0")/.."

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

# nginx is unpacked and not installed: an installed one would begin to serve port 80.
have_nginx() { command -v nginx || [ -x /usr/sbin/nginx ] || [ -x .cache/nginx/usr/sbin/nginx ]; } >/dev/null
unpack_nginx() {
	local folder
	folder=$(mktemp -d)
	(cd "$folder" && apt-get -qq download nginx && dpkg -x nginx_*.deb unpacked) &&
		mkdir -p .cache && mv "$folder/unpacked" .cache/nginx
	rm -rf "$folder"
	have_nginx
}
have_nginx || unpack_nginx >/dev/null 2>&1 || wanted=nginx

if [ ${#missing[@]} -eq 0 ] && [ -z "${wanted-}" ]; then
	exit 0
fi

if ! command -v apt-get >/dev/null; then
	echo "tests need what this machine has not; install what Debian calls: ${missing[*]-} ${wanted-}" >&2
	echo "hint: go test ./... runs without them and says what it skips" >&2
	exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "tests need packages that only root can install: sudo apt-get install ${missing[*]-} ${wanted-}" >&2
		echo "hint: go test ./... runs without them and says what it skips" >&2
		exit 1
	fi
	as_root=(sudo -n)
fi

apt() {
	"${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null
}

echo "installing for tests: ${missing[*]-} ${wanted-}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
get() {
	apt update &&
		{ [ ${#missing[@]} -eq 0 ] || apt install -y --no-install-recommends "${missing[@]}"; } &&
		{ [ -z "${wanted-}" ] || unpack_nginx; }
}
if ! get >"$log" 2>&1; then
	cat "$log" >&2
	echo "installing ${missing[*]-} ${wanted-} did not work" >&2
	exit 1
fi
