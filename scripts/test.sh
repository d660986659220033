#!/bin/sh
# Every fast test. The long ones are commands of their own: see `make help`.
#
#     scripts/test.sh          every crate (Ruby is prepared once, two minutes; tests of machines need their image, or pass over themselves)
#     scripts/test.sh all      and the differential tests against other parsers and pattern engines, which take long to build
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
if [ "${1:-}" = all ]; then
	exec $cargo test --workspace --features oubliette-cell/contract
fi
$cargo test --workspace --exclude oubliette-javascript-oracle --features oubliette-cell/contract
# Once more without reserved address space, as on hosts that have none.
$cargo test -p oubliette-memory --features portable
