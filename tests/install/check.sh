#!/usr/bin/env bash
# Tests of what is installed, one at a time: check.sh STEP BUILD_DIR TORCH_DIR COMPILER. `prefix` goes before the others.
set -euo pipefail
step=$1 build=$2 torch=$3 compiler=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$build/install-test prefix=$build/install-test/prefix
unset LD_LIBRARY_PATH GRPO_TORCH VIRTUAL_ENV CONDA_PREFIX
library=$(echo "$prefix"/lib*/libgrpo.so)
fail() { echo "$*" >&2; exit 1; }

# As `cmake --install` leaves it, elsewhere than where it was built.
prefix() {
  rm -rf "$work"
  cmake --install "$build" --prefix "$work/first" >/dev/null
  mv "$work/first" "$prefix"
}

consumer() {
  cmake -G Ninja -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DTorch_ROOT="$torch" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_BUILD_TYPE=Release
  cmake --build "$work/consumer" -j 2
  local program
  for program in consumer loss c_program {grpo,torch}_{first,last}; do "$work/consumer/$program" || fail "$program: $?"; done
}

# The strong symbols that leave the library are those that are recorded, and nothing weak is anybody else's.
symbols() {
  local now=$work/symbols.txt
  nm -DC --defined-only "$library" | grep -E '^[0-9a-f]+ [TDBR] ' | cut -d' ' -f3- | LC_ALL=C sort -u >"$now"
  if [ -n "${GRPO_RECORD_SYMBOLS:-}" ]; then cp "$now" "$here/symbols.txt"; fi
  diff "$here/symbols.txt" "$now" || fail "other symbols leave libgrpo than symbols.txt says; after a change of public headers: GRPO_RECORD_SYMBOLS=1 ctest -R install.symbols"
  ! nm -DC --defined-only "$library" | cut -d' ' -f3- | grep -vE '^(grpo::|grpo_|(vtable|typeinfo|typeinfo name|guard variable) for grpo::)' || fail "the names above are not libgrpo's own"
}

# Without CMake, and with a tool that knows nothing of torch.
pkg_config() {
  export PKG_CONFIG_PATH=$(dirname "$library")/pkgconfig
  [ "$(pkg-config --modversion grpo)" = 0.1.0 ]
  read -ra flags <<<"$(pkg-config --cflags --libs grpo)"
  "$compiler" -std=c++20 "$here/consumer/main.cpp" "${flags[@]}" -o "$work/with_pkg_config"
  "$work/with_pkg_config"
}

# The program runs from where it was moved to, and names a way out if torch does not.
relocated() {
  local answer link
  "$prefix/bin/grpo" info
  for file in "$library" "$prefix/bin/grpo"; do
    ! readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -oE '[[:][^]:]+' | grep -vE '^[[:]\$ORIGIN|library' | grep / || fail "$file: RUNPATH names a folder of this machine"
  done
  link=$(dirname "$library")/grpo/torch
  mv "$link" "$link.away"
  answer=$(PATH=/nowhere "$prefix/bin/grpo" info 2>&1) && fail "it ran without torch: $answer"
  grep -q 'pip install torch==2\.' <<<"$answer" || fail "$answer"
  answer=$(GRPO_TORCH=/nowhere "$prefix/bin/grpo" info 2>&1) && fail "it took a torch that is not there: $answer"
  grep -q /nowhere <<<"$answer" || fail "$answer"
  mkdir -p "$work/other/include/torch/headeronly"
  printf '#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n' >"$work/other/include/torch/headeronly/version.h"
  answer=$(GRPO_TORCH=$work/other "$prefix/bin/grpo" info 2>&1) && fail "it took another version: $answer"
  grep -q '1\.9\.1' <<<"$answer" || fail "$answer"
  GRPO_TORCH=$torch "$prefix/bin/grpo" info
  mkdir -p "$work/venv/lib/python3.99/site-packages"
  ln -sfn "$torch" "$work/venv/lib/python3.99/site-packages/torch"
  VIRTUAL_ENV=$work/venv "$prefix/bin/grpo" info
  mv "$link.away" "$link"
}

documents() {
  local doc=$prefix/share/doc/grpo
  for file in LICENSE README.md options.md rooms/reward/README.md; do [ -s "$doc/$file" ] || fail "expected $doc/$file"; done
  grep -q num_generations "$doc/options.md"
}

# The Debian package unpacks to a program that runs, names what it needs and nothing of this machine.
package() {
  rm -rf "$work/package"
  mkdir -p "$work/package"
  (cd "$build" && cpack -G DEB -B "$work/package" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; return 1; }
  local deb=$(echo "$work"/package/*.deb)
  dpkg-deb -f "$deb" Depends | grep -q libspdlog || fail "expected what it depends on; got $(dpkg-deb -f "$deb" Depends)"
  dpkg-deb -x "$deb" "$work/package/root"
  [ -z "$(find "$work/package/root" -type l -path '*/grpo/torch')" ] || fail "the package has the link of this machine"
  GRPO_TORCH=$torch "$work/package/root/usr/bin/grpo" info
}

"$step"
