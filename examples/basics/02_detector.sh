#!/usr/bin/env bash
# From picture files to boxes on both engines. 02_detector.yaml says how a picture becomes the input (read, resized, scaled, height
# width channel to channel height width); every pass runs and is proven by running; the plans take pictures and batches.
# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$(dirname "$0")/shared.sh"

"$tarmac" check detector.onnx --target openvino,onnxruntime -q
"$tarmac" optimize detector.onnx -o "$out/detector.onnx" --verify --contract 02_detector.yaml --samples 16 -q | grep -E 'Optimised|same'

for target in openvino onnxruntime; do
  plan=$out/detector.$target.plan
  "$tarmac" compile detector.onnx -o "$plan" --target $target --contract 02_detector.yaml --no-cache -q | tail -n 1
  "$tarmac" verify "$plan" --reference detector.onnx --contract 02_detector.yaml --samples 20 -q | tail -n 1
done

picture=$(find "$pictures" -name '*.jpg' | sort | sed -n 1p)
"$tarmac" run "$out/detector.openvino.plan" --input "image=$picture" --output-dir "$out/boxes" -q | tail -n 2
for target in openvino onnxruntime; do
  echo "$target: a batch of 8 in $(p50 "$out/detector.$target.plan" --batch 8) ms"
done
