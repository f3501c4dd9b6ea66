#!/usr/bin/env bash
# usage: run.sh CMAKE BUILD_DIR: installs BUILD_DIR, moves the prefix away, and builds and runs this folder's program against it.
set -euo pipefail
cmake=$1 build=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/staged" >/dev/null
mv "$work/staged" "$work/prefix"
if grep -rIl -e "$build" -e "$work" "$work/prefix/lib/cmake" "$work/prefix/include"; then
  echo "the files above name folders of the machine that built them"
  exit 1
fi
"$cmake" -S "$here" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix"
"$cmake" --build "$work/build"
"$work/build/consumer"
if [[ -x $work/prefix/bin/tarmac ]]; then
  # The installed program must find its libraries in the moved prefix alone.
  (cd / && env -u LD_LIBRARY_PATH "$work/prefix/bin/tarmac" --version)
fi
