#!/bin/sh
# A main Ruby with boxes. Ruby is prepared first if it is not there and npm is; DEMO_RUBY=0 leaves that out.
set -eu
cd "$(dirname "$0")"
oubliette=$1
cache=${OUBLIETTE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oubliette}
if ! ls "$cache"/ruby/*.code >/dev/null 2>&1; then
	if [ "${DEMO_RUBY:-}" = 0 ] || ! command -v npm >/dev/null; then
		echo "ruby: left out, it is not prepared; apt install npm, then: oubliette ruby -e 'p 1'"
		exit 0
	fi
	echo "ruby: fetching CRuby with npm and preparing it once (a few minutes)"
fi
echo "ruby: an application in a box, a server outside, and what happens to a loop that will not end"
"$oubliette" ruby master.rb
