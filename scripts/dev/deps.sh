# shellcheck shell=bash
# ./dev deps: everything the build needs, from the system's archive and PyPI, into the cache. See cmake/dependencies.lock.

# Packages of the lock's group $1 (build, libraries, tests, checks) that are not installed.
apt_missing() {
  local wanted installed
  wanted=$(lock_rows apt | awk -v group="$1" '$1 == group { for (i = 2; i <= NF; ++i) print $i }' | sort -u)
  installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' 2>/dev/null | awk '$1 == "ii" { print $2 }' | sort -u)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

install_apt() { # GROUP…
  local missing sudo=()
  mapfile -t missing < <(for group in "$@"; do apt_missing "$group"; done)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "no apt-get here; install the counterparts of: ${missing[*]}"
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
      sudo=(sudo)
    else
      die "these packages are missing and neither root nor sudo is at hand; run once as root:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    fi
  fi
  # A fresh machine has no package lists, and old lists name files that are gone.
  "${sudo[@]}" apt-get update -q >&2 || say "apt-get update met errors; going on with the lists that there are"
  step "about to install with apt: ${missing[*]}"
  "${sudo[@]}" apt-get install -s -q --no-install-recommends "${missing[@]}" 2>/dev/null |
    awk '/^Inst/ { ++n } END { print "    (" n " packages with what they depend on)" }' >&2
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# pip download of one pinned thing; pip compares the hash before it looks inside.
pip_download() { # KIND NAME FOLDER [PIP OPTION…]
  local kind=$1 name=$2 folder=$3
  shift 3
  PATH=$(python_dir tool)/bin:$PATH "$(python_dir tool)/bin/python" -m pip download -q --disable-pip-version-check --no-deps --require-hashes \
    -d "$folder" -r <(echo "$name==$(pinned "$kind" "$name") --hash=sha256:$(pinned "$kind" "$name" 2)") "$@" >&2
}

unpack_wheel() { # KIND NAME TMP
  pip_download "$1" "$2" "$3" --only-binary :all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform any
  python3 -m zipfile -e "$3"/*.whl "$3"
  rm "$3"/*.whl
}

make_onnxruntime() { # TMP: the library under the name that its soname asks for
  unpack_wheel wheel onnxruntime "$1"
  mkdir "$1/lib"
  mv "$1"/onnxruntime/capi/libonnxruntime*.so* "$1/lib/"
  ln -s "libonnxruntime.so.$(pinned wheel onnxruntime)" "$1/lib/libonnxruntime.so.1"
  ln -s libonnxruntime.so.1 "$1/lib/libonnxruntime.so"
}

# The private Python environment for the lock's rows of KIND. It cannot be renamed when done, so it is made beside and a link to it
# marks it complete.
make_python() { # KIND LABEL
  local final name version hashes
  final=$(python_dir "$1")
  [[ -d $final ]] && return
  step "about to make $2 in $final"
  python3 -m venv --clear "$final.env"
  while read -r name version hashes; do
    echo "$name==$version --hash=sha256:${hashes//,/ --hash=sha256:}"
  done < <(lock_rows "$1") >"$final.env/requirements.txt"
  "$final.env/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
    -r "$final.env/requirements.txt" >&2
  ln -sfn "$final.env" "$final"
}

make_ort_headers() { # TMP: Debian's headers, by private lists so that the system's apt stays as it is
  local tmp=$1 suite deb keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  suite=$(pinned deb libonnxruntime-dev 2)
  mkdir -p "$tmp"/apt/{lists,cache/archives}/partial "$tmp/deb"
  : >"$tmp/apt/status"
  echo "deb [signed-by=$keyring] $(debian_mirror) $suite main" >"$tmp/apt/sources.list"
  cat >"$tmp/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$tmp/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$tmp/apt/lists";
Dir::State::status "$tmp/apt/status";
Dir::Cache "$tmp/apt/cache";
APT::Architectures "amd64";
APT::Sandbox::User "";
Acquire::Languages "none";
#clear APT::Update::Post-Invoke-Success;
CONF
  APT_CONFIG=$tmp/apt/apt.conf apt-get update -q >&2
  (cd "$tmp/deb" && APT_CONFIG=$tmp/apt/apt.conf apt-get download -q "libonnxruntime-dev=$(pinned deb libonnxruntime-dev)" >&2)
  deb=$(find "$tmp/deb" -name '*.deb')
  check_sha256 "$deb" "$(pinned deb libonnxruntime-dev 3)"
  dpkg -x "$deb" "$tmp/unpacked"
  mv "$tmp/unpacked/usr/include/onnxruntime" "$tmp/include"
  rm -rf "$tmp/apt" "$tmp/deb" "$tmp/unpacked"
}

# The Debian mirror that this machine already uses, or the one that the caller names.
debian_mirror() {
  [[ -n ${TARMAC_DEBIAN_MIRROR:-} ]] && echo "$TARMAC_DEBIAN_MIRROR" && return
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -hE '^(deb |URIs:)' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n1 | tr -d ' '
}

# Why the headers cannot be had here, or nothing.
ort_headers_obstacle() {
  if [[ -n ${ONNXRUNTIME_ROOT:-} ]]; then
    [[ -r $ONNXRUNTIME_ROOT/include/onnxruntime_cxx_api.h ]] || echo "ONNXRUNTIME_ROOT=$ONNXRUNTIME_ROOT has no include/onnxruntime_cxx_api.h"
  elif [[ ! -d $(ort_headers_dir) ]]; then
    local remedy="or set ONNXRUNTIME_ROOT to a folder with include/onnxruntime_cxx_api.h (API 21 or newer)"
    [[ -r /usr/share/keyrings/debian-archive-keyring.gpg ]] ||
      echo "no Debian keyring: install debian-archive-keyring and set TARMAC_DEBIAN_MIRROR, $remedy"
    [[ -n $(debian_mirror) ]] || echo "no Debian mirror among this machine's apt sources: set TARMAC_DEBIAN_MIRROR, $remedy"
  fi
}

build_onnx() { # TMP: static, against the system's protobuf
  local tmp=$1 tools
  tools=$(python_dir tool)/bin
  # pip only asks the archive for its metadata here; nothing is built by it.
  pip_download sdist onnx "$tmp" --no-build-isolation --no-binary :all:
  mkdir "$tmp/source"
  tar -xf "$tmp"/onnx-*.tar.gz -C "$tmp/source" --strip-components 1
  "$tools/cmake" -S "$tmp/source" -B "$tmp/build" -G Ninja "${ONNX_OPTIONS[@]}" -DPython3_EXECUTABLE="$tools/python" \
    -DCMAKE_INSTALL_PREFIX="$tmp/install" -DCMAKE_INSTALL_LIBDIR=lib >&2
  "$tools/cmake" --build "$tmp/build" -j "$JOBS" --target install >&2
  mv "$tmp"/install/* "$tmp/"
  rm -rf "$tmp/build" "$tmp/source" "$tmp/install" "$tmp"/*.tar.gz
}

# build/deps.cmake tells CMake where everything lies; the lock's digest in it shows when it is stale.
write_deps_cmake() {
  local file=$ROOT/build/deps.cmake ort_lib ort_include=${ONNXRUNTIME_ROOT:+$ONNXRUNTIME_ROOT/include}
  # Without headers the library is of no use; an empty folder name turns the target off.
  [[ -n $(ort_headers_obstacle) ]] || ort_lib=$(wheel_dir onnxruntime)/lib
  mkdir -p "$ROOT/build"
  cat >"$file.tmp" <<CMAKE
# Written by ./dev deps.
set(TARMAC_LOCK_DIGEST $(sha256sum "$LOCK" | cut -d' ' -f1))
set(TARMAC_ONNX_LIB "$(onnx_dir)/lib")
set(TARMAC_ONNX_INCLUDE "$(onnx_dir)/include")
set(TARMAC_OPENVINO_LIB "$(wheel_dir openvino)/openvino/libs")
set(TARMAC_OPENVINO_INCLUDE "$(wheel_dir openvino)/openvino/include")
set(TARMAC_ONNXRUNTIME_LIB "${ort_lib:-}")
set(TARMAC_ONNXRUNTIME_INCLUDE "${ort_include:-$(ort_headers_dir)/include}")
set(TARMAC_CCACHE_DIR "$CACHE/ccache")
CMAKE
  # An unchanged file keeps its time, so that CMake does not configure again.
  if cmp -s "$file.tmp" "$file"; then rm "$file.tmp"; else mv "$file.tmp" "$file"; fi
}

# The conformance cases of the onnx package as files: tests/conformance/generate_cases.py says in which layout.
conformance_cases() {
  [[ -f $CACHE/onnx-cases-$(pinned case onnx)/manifest.json ]] && return
  make_python case "Python packages for the conformance cases (onnx, numpy; 40 MB download)"
  step "about to write the conformance cases of onnx $(pinned case onnx) to $CACHE"
  "$(python_dir case)/bin/python" tests/conformance/generate_cases.py "$CACHE" >&2
}

need() { # FOLDER LABEL FUNCTION [ARG…]
  [[ -d $1 ]] && return
  step "about to make $2 in $1"
  local target=$1
  shift 2
  make_dir "$target" "$@"
}

# Runs a function while holding the cache's lock: a second run waits and then finds everything present.
with_cache_lock() { # FUNCTION [ARG…]
  mkdir -p "$CACHE"
  (
    flock -n 9 || {
      say "another ./dev is filling $CACHE; waiting"
      flock 9
    }
    "$@" 9>&-
  ) 9>"$CACHE/lock"
}

deps() { with_cache_lock fill_cache; }

fill_cache() {
  install_apt build libraries tests
  make_python tool "Python tools (cmake, scikit-build-core)"
  need "$(wheel_dir openvino)" "OpenVINO $(pinned wheel openvino) (59 MB download)" unpack_wheel wheel openvino
  need "$(wheel_dir onnxruntime)" "ONNX Runtime $(pinned wheel onnxruntime) (28 MB download)" make_onnxruntime
  if [[ -n $(ort_headers_obstacle) ]]; then
    say "the onnxruntime target stays off: $(ort_headers_obstacle)"
  elif [[ -z ${ONNXRUNTIME_ROOT:-} ]]; then
    need "$(ort_headers_dir)" "ONNX Runtime headers (10 MB of package lists, 0.1 MB download)" make_ort_headers
  fi
  need "$(onnx_dir)" "onnx $(pinned sdist onnx) C++ library (6 MB download, then a build of about 5 minutes on 2 cores)" build_onnx
  write_deps_cmake
}
