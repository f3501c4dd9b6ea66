#!/usr/bin/env bash
# A transformer block: its attention, a dozen nodes as exported, becomes one. Where the graph does not tell the number of heads and
# the width, --heads and --hidden do (as onnxruntime.transformers' num_heads and hidden_size); what contradicts the graph is declined,
# and what is wrong is caught by running both.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

fuse() { # MODEL OPTION…
  echo "$*"
  "$tarmac" optimize "$1.onnx" -o "$out/$1.onnx" --target openvino,onnxruntime "${@:2}" -q 2>&1 |
    grep -oE '^Optimised.*|not done: .*|^tarmac: .*'
}

fuse transformer_block --heads 4 --hidden 96
fuse transformer_block --heads 3 --hidden 96
shapes='tokens:1x20x96,1x100x96,4x400x96'
fuse transformer_block_open
fuse transformer_block_open --heads 4 --hidden 96 --verify --profile "$shapes" || true
fuse transformer_block_open --heads 3 --hidden 96 --verify --profile "$shapes"

for target in openvino onnxruntime; do
  echo "$target, 4 x 400 tokens: $(p50 transformer_block.onnx --target $target --shape tokens:4x400x96) ms as exported," \
    "$(p50 "$out/transformer_block.onnx" --target $target --shape tokens:4x400x96) ms fused"
done
