#!/usr/bin/env bash
# The three ways to quantise the detector, beside what they are called in onnxruntime.quantization: quantize_static on pictures,
# quantize_dynamic, and weights only. Dynamic convolutions are possible but slow on every engine here; it says so.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

quantize() { # NAME OPTION…
  local model=$out/detector_$1.onnx
  "$tarmac" quantize detector.onnx -o "$model" "${@:2}" -q >"$out/log"
  echo "$1: $(grep ^Quantised "$out/log")"
  echo "  $(kilobytes "$model"), error $(error_of "$model" --reference detector.onnx --contract 02_detector.yaml --data "$pictures" \
    --samples 4 --target onnxruntime), onnxruntime $(p50 "$model" --target onnxruntime --shape image:1x3x416x416) ms"
}

echo "float: $(kilobytes detector.onnx), onnxruntime $(p50 detector.onnx --target onnxruntime --shape image:1x3x416x416) ms"
quantize static --mode static --target onnxruntime --contract 02_detector.yaml --data "$pictures" --samples 32
quantize dynamic --mode dynamic --target onnxruntime
awk '/operator +became/ { getline; print "  " $0 }' "$out/log"
quantize dynamic_convolutions --mode dynamic --target onnxruntime --allow-slower
quantize weights --mode weight-only
