#!/bin/sh
# Every fast test. The long ones are commands of their own: see `make help`.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
$cargo test --workspace --features oubliette-cell/contract
# Once more without reserved address space, as on hosts that have none.
$cargo test -p oubliette-memory --features portable
