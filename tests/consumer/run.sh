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

# The examples are users' programs as well. A plan and pictures for them:
examples=$here/../../examples
for language in cpp c; do
  "$cmake" -S "$examples/$language" -B "$work/$language" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix"
  "$cmake" --build "$work/$language"
done
if [[ -x $work/prefix/bin/tarmac ]]; then
  mkdir "$work/frames"
  for i in 0 1 2 3 4 5; do
    { printf 'P6\n24 32\n255\n'; head -c 2304 /dev/zero | tr '\0' "\\$((200 + i))"; } >"$work/frames/$i.ppm"
  done
  light=$examples/traffic_light
  "$work/prefix/bin/tarmac" compile "$light/traffic_light.onnx" -o "$work/light.plan" --target openvino \
    --contract "$light/deploy.yaml" --quiet
  (cd / && env -u LD_LIBRARY_PATH "$work/cpp/run_pictures" "$work/light.plan" "$work/frames") | tee "$work/pictures.txt"
  [[ $(grep -c ' index [0-9]*, value ' "$work/pictures.txt") == 18 ]]
  grep -q '^tarmac_batched_items_total{model="light"} 6$' "$work/pictures.txt"
  (cd / && env -u LD_LIBRARY_PATH "$work/c/run_picture" "$work/light.plan" image "$work/frames/0.ppm") | tee "$work/picture.txt"
  [[ $(grep -c '^picture: \|^frame: ' "$work/picture.txt") == 2 ]]
fi

if [[ -x $work/prefix/bin/tarmac ]]; then
  # The installed program must find its libraries in the moved prefix alone.
  (cd / && env -u LD_LIBRARY_PATH "$work/prefix/bin/tarmac" --version)
fi
