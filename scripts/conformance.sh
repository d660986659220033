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
	  test262   a checkout of tc39/test262: every file of scripts/test262-scope.py's list in a JavaScript cell of its own,
	            then test/annexB apart; ONLY=prefix takes the files whose path begins so
	  ruby-spec a checkout of ruby/spec, with one of ruby/mspec beside it (or where MSPEC says): language and core in boxes;
	            ONLY=core/array takes one folder
	  packages  a folder with a package.json and programs that use its packages (scripts/packages, say), in the JavaScript
	            cell and in node; ONLY=name takes one program
	  library   a folder with programs that call the built-in library at random (scripts/library, say), in the JavaScript cell and
	            in node; SEEDS=50 FIRST=1000 says how often and from which seed on
	USAGE
	exit 2
fi
case $suite in
torture) exec $cargo run --release -p oubliette-moxie --example torture -- "$folder" ;;
test262)
	run() {
		$cargo run --release -p oubliette-javascript --example test262 -- "$folder" --threads "$(nproc)" --filter "${ONLY:-}" "$@"
	}
	run
	case ${ONLY:-annexB} in annexB*) run --tops annexB ;; esac
	;;
packages)
	$cargo build --release -p oubliette-cli
	exec scripts/packages.sh "$folder" "${CARGO_TARGET_DIR:-target}/release/oubliette" ${ONLY:+"$ONLY"}
	;;
library)
	$cargo build --release -p oubliette-cli
	exec scripts/library.sh "$folder" "${CARGO_TARGET_DIR:-target}/release/oubliette" "${SEEDS:-20}" "${FIRST:-1}"
	;;
ruby-spec)
	for mspec in "${MSPEC:-}" "$folder/../mspec" "$folder/../ruby+mspec"; do
		[ -n "$mspec" ] && [ -d "$mspec/lib" ] && break
	done
	exec $cargo run --release -p oubliette-ruby --example conformance -- "$folder" "$mspec" ${ONLY:+"$ONLY"}
	;;
*)
	echo "there is no suite \`$suite\`" >&2
	exit 2
	;;
esac
