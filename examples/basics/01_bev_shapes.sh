#!/usr/bin/env bash
# A plan for a range of shapes, as trtexec's --minShapes, --optShapes and --maxShapes: batch, height and width are open; sizes in
# between run and agree with the model on ONNX Runtime, others are refused with the range.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

"$tarmac" compile bev_head.onnx -o "$out/bev_head.plan" --target openvino --no-cache -q \
  --profile 'features:1x256x100x100,1x256x200x200,2x256x400x400' | tail -n 1

check() { "$tarmac" verify "$out/bev_head.plan" --reference bev_head.onnx --samples 1 --shape "features:$1" -q; }

for shape in 1x256x100x100 1x256x200x200 1x256x150x240 2x256x120x100 1x256x400x400; do
  echo "$shape: $(check $shape | tail -n 1)"
done
for shape in 1x256x99x100 1x256x100x401 3x256x200x200; do
  check $shape || echo "$shape: exit code $?"
done 2>&1
