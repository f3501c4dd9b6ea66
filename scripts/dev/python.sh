# shellcheck shell=bash
# ./dev test python: the wheel in a clean environment, the Python module's tests, and the notebook.

# build/python/*.whl, and build/python/venv with it: built as pip does, with the tools and the cmake of the other builds, whose objects
# ccache knows; beside it only the pinned packages that its tests want.
wheel() {
  local tools out=$ROOT/build/python
  deps
  with_cache_lock make_frontend bindings
  tools=$(python_dir tool)/bin
  rm -rf "$out"
  mkdir -p "$out"
  step "wheel of the Python package"
  env -u PYTHONPATH CC=cc CXX=c++ CMAKE_EXECUTABLE="$(command -v "$(find_cmake)")" CMAKE_BUILD_PARALLEL_LEVEL="$JOBS" "$tools/python" -m pip wheel -q \
    --disable-pip-version-check --no-deps --no-build-isolation -w "$out" "$ROOT" >&2
  python3 -m venv "$out/venv"
  "$out/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-index "$out"/tarmac_deploy-*.whl >&2
  echo "$CACHE/frontend-bindings/lib/$(cd "$CACHE/frontend-bindings/lib" && echo python3*)/site-packages" \
    >"$(echo "$out"/venv/lib/python3*/site-packages)/tests.pth"
}

# Adds its counts to passed, failed and skipped.
run_python_tests() { # [PYTEST OPTION…]
  local junit=$ROOT/build/python.junit.xml
  rm -f "$junit"
  with_cache_lock demo_data # the pictures that the tests read
  # A process of its own: inside a condition this shell would ignore a failing step.
  if "$ROOT/dev" wheel; then
    step "tests of the Python package"
    (cd "$ROOT/python/tests" && env -u PYTHONPATH TARMAC_CACHE="$CACHE" "$ROOT/build/python/venv/bin/python" -m pytest -q \
      -p no:cacheprovider --ignore frontends --junitxml "$junit" "$@" >&2) || true
  else
    say "the Python package could not be built"
  fi
  count_pytest "$junit"
}

test_python() { # [PYTEST OPTION…]
  local passed=0 failed=0 skipped=0
  run_python_tests "$@"
  echo "$passed passed, $failed failed$( ((skipped)) && echo ", $skipped skipped")"
  ((failed == 0))
}
