#!/bin/sh
# Every fast test. The long ones are commands of their own: see `make help`.
#
#     scripts/test.sh          the crates that are finished
#     scripts/test.sh all      every crate, those that are being built too (needs npm for Ruby, an image for machines)
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
if [ "${1:-}" = all ]; then
	exec $cargo test --workspace --features oubliette-cell/contract
fi
$cargo test -p oubliette-cell -p oubliette-memory -p oubliette-moxie -p oubliette -p oubliette-cli -p oubliette-bench -p oubliette-wire \
	--features oubliette-cell/contract
# Once more without reserved address space, as on hosts that have none.
$cargo test -p oubliette-memory --features portable
