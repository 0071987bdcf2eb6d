#!/usr/bin/env bash
# Installs what `make test` needs beside Go, and nothing that is there already: a C compiler (for
# the race detector), a Django to compare with, a Chromium to ask, and axe-core, which judges the lab's
# page in that Chromium. `go test ./...` alone needs none of them.
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

# axe-core is a file that is put into the page, at one version with one content.
axe=4.14.1
axe_sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
have_axe() { [ "$(cat .cache/axe/version 2>/dev/null)" = "$axe" ] && [ -s .cache/axe/axe.min.js ]; }
fetch_axe() {
	local folder
	folder=$(mktemp -d)
	(cd "$folder" && npm pack --silent --ignore-scripts "axe-core@$axe" &&
		echo "$axe_sum  axe-core-$axe.tgz" | sha512sum --check --strict - &&
		tar -xzf "axe-core-$axe.tgz" --strip-components=1 package/axe.min.js) &&
		mkdir -p .cache/axe && mv "$folder/axe.min.js" .cache/axe/ && echo "$axe" >.cache/axe/version
	rm -rf "$folder"
	have_axe
}
have_axe || need 'command -v npm' npm

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

# The last step, when npm is there.
finish() {
	have_axe || fetch_axe >/dev/null 2>&1 || {
		echo "axe-core $axe could not be fetched with npm, or is not what it was" >&2
		echo "hint: npm pack axe-core@$axe shows why" >&2
		exit 1
	}
}

if [ ${#missing[@]} -eq 0 ] && [ -z "${wanted-}" ]; then
	finish
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
finish
