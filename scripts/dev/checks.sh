# shellcheck shell=bash
# ./dev format, lint, doctor.

sources() {
  git ls-files -co --exclude-standard -- "$@" | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}
cpp_sources() { sources '*.cpp' '*.h' '*.cu' '*.cuh'; }
shell_sources() {
  sources '*.sh'
  sources | grep -vE '\.[a-z0-9]+$' | while read -r file; do
    if head -c 64 "$file" | grep -aqE '^#!.*\b(ba)?sh\b'; then echo "$file"; fi
  done
}

format() { # [--check]
  install_apt checks
  if [[ ${1:-} == --check ]]; then
    cpp_sources | xargs -r -P "$JOBS" -n 16 clang-format-14 --dry-run -Werror
  else
    cpp_sources | xargs -r -P "$JOBS" -n 16 clang-format-14 -i
  fi
}

# clang-tidy over every source file, and shellcheck. A clean result is remembered by the digest of the file and of the headers that
# it includes, so only what changed is checked again.
lint() {
  local rc=0
  install_apt checks
  deps
  configure release
  step "shellcheck"
  shell_sources | xargs -r shellcheck -x || rc=1
  step "clang-tidy"
  mkdir -p "$CACHE/tidy"
  find "$CACHE/tidy" -type f -mtime +30 -delete
  export -f tidy_one
  export CACHE ROOT
  python3 scripts/dev/tidy_keys.py | xargs -r -P "$JOBS" -n 2 bash -c 'tidy_one "$@"' _ || rc=1
  ((rc == 0)) && echo "lint: clean"
  return $rc
}

tidy_one() { # FILE DIGEST
  [[ -e $CACHE/tidy/$2 ]] && return
  local found
  if found=$(clang-tidy-14 --quiet -p "$ROOT/build/release" "$1" 2>/dev/null) && [[ -z $found ]]; then
    touch "$CACHE/tidy/$2"
  else
    echo "$found"
    return 1
  fi
}
