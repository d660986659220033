#!/bin/sh
# A C program in a machine. The image is made first if it is not there and its tools are; DEMO_MACHINE=0 leaves that out.
set -eu
cd "$(dirname "$0")"
oubliette=$1
data=${OUBLIETTE_DATA:-${XDG_DATA_HOME:-$HOME/.local/share}/oubliette}
if [ ! -f "$data/images/base/image.toml" ]; then
	if [ "${DEMO_MACHINE:-}" = 0 ] || ! command -v mmdebstrap >/dev/null || ! command -v qemu-system-x86_64 >/dev/null; then
		echo "machine: left out, there is no image; apt install mmdebstrap qemu-system-x86 qemu-utils, then: oubliette image build"
		exit 0
	fi
	echo "machine: making the image once, from Debian's packages (a few minutes)"
	"$oubliette" image build || {
		echo "machine: left out, since the image could not be made; the other cells need none"
		exit 0
	}
fi
name=$(mktemp)
trap 'rm -f "$name"' EXIT
echo "machine: a C program, compiled and run in a fresh Linux of its own"
echo "$(id -un)" >"$name"
"$oubliette" run --timeout 120s -d "stdin=$name" hello.c
