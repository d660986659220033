#!/bin/sh
# Says which system packages are missing for what follows, and installs them when it may.
set -eu
missing=""
need() { # COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need gcc gcc
need make make
need xz xz-utils
# Fetches the official build of Ruby, by name and version; its hash is checked.
need npm npm
if ! command -v cargo >/dev/null 2>&1; then
	echo "Rust is missing: install it from https://rustup.rs (1.95 or newer), then run this again." >&2
	exit 1
fi
[ -z "$missing" ] && exit 0
echo "Missing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
else
	echo "Install them with: sudo apt-get install$missing" >&2
	exit 1
fi
