# shellcheck shell=bash
# ./dev fuzz-optimize

# Random graphs before and after optimising, a few hundred to a process: an engine that crashes costs one of them.
fuzz_optimize() { # [GRAPHS [FIRST SEED]]
  local graphs=${1:-10000} first=${2:-1} folder=$ROOT/build/fuzz-optimize
  [[ $graphs =~ ^[0-9]+$ && $first =~ ^[0-9]+$ ]] || die "usage: ./dev fuzz-optimize [GRAPHS [FIRST_SEED]]"
  build release random_graphs_test
  rm -rf "$folder" && mkdir -p "$folder"
  export ROOT folder graphs first
  export -f fuzz_chunk
  step "$graphs random graphs from seed $first on"
  if seq "$first" 500 $((first + graphs - 1)) | xargs -r -P "$JOBS" -n 1 bash -c 'fuzz_chunk "$@"' _; then
    echo "no difference in $graphs graphs"
  else
    die "there are differences; the seeds, the passes and the smallest models are in $folder"
  fi
}

fuzz_chunk() { # FIRST SEED
  local count=$((first + graphs - $1))
  ((count <= 500)) || count=500
  TARMAC_GRAPH_SEED=$1 TARMAC_GRAPHS=$count "$ROOT/build/release/tests/random_graphs_test" \
    --gtest_filter='RandomGraphs.ComputeTheSame*' >"$folder/$1.txt" 2>&1 && return
  echo "seeds $1 to $(($1 + count - 1)): see $folder/$1.txt"
  return 1
}
