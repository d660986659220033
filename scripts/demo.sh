#!/bin/sh
# Runs one program in each kind of cell that there is.
set -eu
cd "$(dirname "$0")/.."
oubliette=$(realpath "$1")
guest/moxie/examples/demo.sh "$oubliette"
guest/javascript/examples/demo.sh "$oubliette"
guest/ruby/examples/demo.sh "$oubliette"
guest/machine/examples/demo.sh "$oubliette"
