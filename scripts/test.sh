#!/bin/sh
# Every fast test. The long ones are commands of their own: see `make help`.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
$cargo test --workspace --all-features
