# shellcheck shell=bash
# shellcheck disable=SC2034  # the scripts use what is set here
# What the scripts share: the program, where pictures and features lie, where results go, how much is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
demo=../../build/demo
tarmac=${TARMAC_PROGRAM:-../../build/release/bin/tarmac}
pictures=$demo/data/traffic_light/train
features=$demo/data/basics/bev
out=$demo/basics
samples=${BASICS_SAMPLES:-500}
seconds=${BASICS_SECONDS:-2}
mkdir -p "$out"

# The median time of one run, in milliseconds: p50 MODEL [OPTION…]
p50() { "$tarmac" bench "$@" --duration "$seconds" -q | sed -n 's/^tarmac-bench .* p50_ms=\([0-9.]*\) .*/\1/p'; }

# The largest error of an output in percent of its range: error_of MODEL [OPTION…]
error_of() { "$tarmac" verify "$@" --max-error 100% -q | awk '/^ +(scores|boxes|out) / { print $2, "%" }'; }

kilobytes() { echo "$(($(stat -c %s "$1") / 1024)) KiB"; }
