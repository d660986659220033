#!/bin/sh
# Long suites against a folder that you bring: conformance.sh SUITE FOLDER. Results are recorded in docs/conformance.md.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
suite=${1:-}
folder=${2:-}
if [ -z "$suite" ] || [ -z "$folder" ]; then
	cat <<-'USAGE' >&2
	usage: make conformance SUITE=name FOLDER=path
	  torture   programs of a C compiler's execution tests, with their expected.tsv beside them: interpreter, JIT,
	            JIT with fuel handed out 1,000 at a time, and a snapshot in the middle
	USAGE
	exit 2
fi
case $suite in
torture) exec $cargo run --release -p oubliette-moxie --example torture -- "$folder" ;;
*)
	echo "there is no suite \`$suite\`" >&2
	exit 2
	;;
esac
