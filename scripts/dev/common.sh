# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is used by the files that source this one
# Shared by every verb of ./dev: messages, the cache folder, the lock file, atomic folders.

CACHE=${TARMAC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tarmac}
LOCK=$ROOT/cmake/dependencies.lock
JOBS=${TARMAC_JOBS:-$(nproc)}
export ORT_DISABLE_TELEMETRY=1 # of the peers in Python too; it would run beside what is measured

say() { printf '%s\n' "$*" >&2; }
step() { say "==> $*"; }
die() {
  say "dev: $*"
  exit 1
}

# Rows of the lock file that start with word $1, without that word.
lock_rows() { awk -v kind="$1" '$1 == kind { $1 = ""; sub(/^ /, ""); print }' "$LOCK"; }

# Field $3 of the row `$1 $2` (fields count after the name): pinned onnx -> its version.
pinned() { awk -v kind="$1" -v name="$2" -v field="${3:-1}" '$1 == kind && $2 == name { print $(2 + field) }' "$LOCK"; }

check_sha256() { # FILE SHA256
  local found
  found=$(sha256sum "$1" | cut -d' ' -f1)
  [[ $found == "$2" ]] || die "$(basename "$1"): sha256 is $found, cmake/dependencies.lock says $2; the download was refused"
}

# The first cmake that reads our presets: the system's when new enough, else the private one.
find_cmake() {
  local version
  version=$(cmake --version 2>/dev/null | awk 'NR == 1 { print $3 }')
  if [[ -n $version && $(printf '%s\n3.25\n' "$version" | sort -V | head -n1) == 3.25 ]]; then
    echo cmake
  else
    echo "$(python_dir tool)/bin/cmake"
  fi
}

# Folder names carry what they were made from, so different checkouts can share one cache.
short_hash() { sha256sum | cut -c1-10; }
python_dir() { echo "$CACHE/python-$1-$({ lock_rows "$1"; python3 --version 2>/dev/null; } | short_hash)"; }
wheel_dir() { echo "$CACHE/$1-$(pinned wheel "$1")"; }
data_dir() { echo "$CACHE/$1-$(pinned data "$1")"; }
ONNX_OPTIONS=(-DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -g1" -DCMAKE_CXX_STANDARD=20
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DONNX_ML=ON -DONNX_NAMESPACE=onnx -DONNX_USE_PROTOBUF_SHARED_LIBS=ON
  -DONNX_BUILD_PYTHON=OFF -DONNX_BUILD_TESTS=OFF -DONNX_GEN_PB_TYPE_STUBS=OFF)
onnx_dir() {
  echo "$CACHE/onnx-$(pinned sdist onnx)-$({
    g++ -dumpfullversion 2>/dev/null
    protoc --version 2>/dev/null
    echo "${ONNX_OPTIONS[@]}"
  } | short_hash)"
}
ort_headers_dir() { echo "$CACHE/libonnxruntime-dev-$(pinned deb libonnxruntime-dev)"; }

# Runs `$2 … TMP` to fill a new folder and renames it to $1 when complete; interrupted work leaves only TMP behind.
make_dir() { # TARGET FUNCTION [ARG…]
  local target=$1 tmp=$1.partial
  shift
  [[ -d $target ]] && return
  rm -rf "$tmp"
  mkdir -p "$tmp"
  "$@" "$tmp"
  mv "$tmp" "$target"
}
