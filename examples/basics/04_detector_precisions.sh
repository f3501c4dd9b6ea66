#!/usr/bin/env bash
# The detector in FP32, FP16 and INT8. INT8 is calibrated by entropy, 8 at a time, on up to 500 pictures of a folder; what was
# seen of them is kept in a file, which the second run reads instead.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

"$tarmac" optimize detector.onnx -o "$out/detector_fp32.onnx" -q >"$out/log"
"$tarmac" optimize detector.onnx -o "$out/detector_fp16.onnx" --precision fp16 --keep-io --contract 02_detector.yaml --data "$pictures" --samples 4 -q | grep ^Precision

rm -f "$out/detector.calibration"
for run in first second; do
  "$tarmac" quantize detector.onnx -o "$out/detector_int8.onnx" --mode static --method entropy --batch 8 --contract 02_detector.yaml --data "$pictures" \
    --samples "$samples" --cache "$out/detector.calibration" -q >"$out/log"
  echo "$run run: $(grep ^Calibrat "$out/log" | head -n 1)"
done
grep ^Quantised "$out/log"

for precision in fp32 fp16 int8; do
  model=$out/detector_$precision.onnx
  echo "$precision: $(kilobytes "$model"), error $(error_of "$model" --reference detector.onnx --contract 02_detector.yaml --data "$pictures" --samples 4)"
  for target in openvino onnxruntime; do
    echo "  $target: $(p50 "$model" --target $target --shape image:1x3x416x416) ms"
  done
done
