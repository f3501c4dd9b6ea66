#!/usr/bin/env bash
# The BEV head in FP32, FP16 and INT8. INT8 is calibrated by entropy, 8 at a time, on up to 500 features, a .npy file each; what was
# seen of them is kept in a file, which the second run reads instead.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

"$tarmac" optimize bev_head.onnx -o "$out/bev_head_fp32.onnx" -q >"$out/log"
"$tarmac" optimize bev_head.onnx -o "$out/bev_head_fp16.onnx" --precision fp16 --keep-io --data "$features" --samples 4 -q | grep ^Precision

rm -f "$out/bev_head.calibration"
for run in first second; do
  "$tarmac" quantize bev_head.onnx -o "$out/bev_head_int8.onnx" --mode static --method entropy --batch 8 --data "$features" \
    --samples "$samples" --cache "$out/bev_head.calibration" -q >"$out/log"
  echo "$run run: $(grep ^Calibrat "$out/log" | head -n 1)"
done
grep ^Quantised "$out/log"

for precision in fp32 fp16 int8; do
  model=$out/bev_head_$precision.onnx
  echo "$precision: $(kilobytes "$model"), error $(error_of "$model" --reference bev_head.onnx --data "$features" --samples 4)"
  for target in openvino onnxruntime; do
    echo "  $target: $(p50 "$model" --target $target --shape features:1x256x200x200) ms"
  done
done
