#!/usr/bin/env bash
# Without root on Debian or Ubuntu: gets packages as files and unpacks them into build/system, from where this project's build takes
# headers, libraries and, where the machine has none, the compiler: cmake/local_packages.sh COMPILE_PACKAGE… -- PACKAGE…
# The compile packages (g++ and pkg-config) are got where their commands are missing. Writes build/system/toolchain.cmake, which
# CMakeLists.txt uses where it stands, and build/system/bin, which belongs on PATH. Nothing outside build/ is written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD/build/system

compile=() packages=()
while [ "$1" != -- ]; do compile+=("$1"); shift; done
shift
packages=("$@" python3-pip-whl)
own_compiler=false
if ! command -v c++ >/dev/null; then own_compiler=true; fi
if $own_compiler; then packages+=("${compile[@]}" libc6-dev); elif ! command -v pkg-config >/dev/null; then packages+=(pkg-config); fi

stamp=$root/packages
wanted=$(printf '%s\n' "$own_compiler" "${packages[@]}")
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit; fi
rm -rf "$root"
mkdir -p "$root"/apt/{state/lists/partial,cache/archives/partial,files} "$root"/usr/{bin,sbin,lib,lib64}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done  # as on the system: packages unpack through these links

# apt with lists of its own. A compiler's packages are taken whole, as if nothing were installed: it compiles against them alone.
status=/var/lib/dpkg/status
if $own_compiler; then status=$root/apt/status && : >"$status"; fi
apt=(apt-get -q -o "Dir::State=$root/apt/state" -o "Dir::State::status=$status" -o "Dir::Cache=$root/apt/cache" -o Debug::NoLocking=1
     -o APT::Install-Recommends=false -o APT::Sandbox::User="$(id -un)")
echo "bootstrap: reading the package lists"
"${apt[@]}" update >"$root/apt/log" 2>&1 || { tail -n 5 "$root/apt/log" >&2; exit 1; }
mapfile -t needed < <("${apt[@]}" -s install "${packages[@]}" 2>"$root/apt/log" | sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p')
if [ ${#needed[@]} -eq 0 ] && ! $own_compiler && grep -q '^E:' "$root/apt/log"; then cat "$root/apt/log" >&2; exit 1; fi
echo "bootstrap: getting ${#needed[@]} packages into build/system"
if [ ${#needed[@]} -gt 0 ]; then
  (cd "$root/apt/files" && "${apt[@]}" download "${needed[@]}" >"$root/apt/log" 2>&1) || { tail -n 5 "$root/apt/log" >&2; exit 1; }
fi
for file in "$root"/apt/files/*.deb; do
  if [ -e "$file" ]; then dpkg-deb --fsys-tarfile "$file" | tar -x -C "$root" --keep-directory-symlink --exclude './dev/*' --no-same-owner; fi
done
rm -rf "$root/apt"

# What packages say of /usr lies below build/system.
triplet=$(ls "$root/usr/lib" | grep -E '^[a-z0-9_]+-linux-gnu[a-z0-9]*$' | head -n 1)
libraries=$root/usr/lib/$triplet
find "$root/usr" -path '*/pkgconfig/*.pc' -exec sed -i "s|^\(prefix\|exec_prefix\|libdir\|includedir\)=/usr|\1=$root/usr|; s|=/usr/|=$root/usr/|" {} +
# A program finds only the libraries that its own machine lacks here: a second libc beside the machine's would not go well.
mkdir -p "$root/run"
for library in "$libraries"/*.so*; do
  name=$(basename "$library")
  [ -e "/usr/lib/$triplet/$name" ] || [ -e "/lib/$triplet/$name" ] || ln -sf "$library" "$root/run/$name"
done

mkdir -p "$root/tools"
# wrapper NAME [VARIABLE=VALUE …] PROGRAM ARGUMENT…: runs a packaged program with its own libraries.
wrapper() {
  local name=$1
  shift
  printf '#!/bin/sh\nexec env LD_LIBRARY_PATH=%q %s "$@"\n' "$root/run" "$*" >"$root/tools/$name"
  chmod +x "$root/tools/$name"
}
if [ -e "$root/usr/bin/pkgconf" ] || [ -e "$root/usr/bin/pkg-config" ]; then
  wrapper pkg-config "PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$root/usr/share/pkgconfig:/usr/lib/$triplet/pkgconfig:/usr/share/pkgconfig $(readlink -f "$root/usr/bin/pkg-config")"
fi
{
  printf '# Written by cmake/local_packages.sh.\nlist(PREPEND CMAKE_PREFIX_PATH "%s/usr")\n' "$root"
  printf 'set(ENV{PKG_CONFIG_PATH} "%s/pkgconfig:%s/usr/share/pkgconfig")\n' "$libraries" "$root"
  printf 'set(CMAKE_LIBRARY_ARCHITECTURE "%s")\nset(CMAKE_BUILD_RPATH "%s/run")\nset(CMAKE_INSTALL_RPATH "%s/run")\n' "$triplet" "$root" "$root"
  # an old-style path is searched for the libraries of libraries too
  printf 'foreach(kind IN ITEMS EXE SHARED)\n  set(CMAKE_${kind}_LINKER_FLAGS_INIT "-Wl,--disable-new-dtags -Wl,-rpath-link,%s")\nendforeach()\n' "$libraries"
  if [ -e "$root/tools/pkg-config" ]; then
    printf 'set(PKG_CONFIG_EXECUTABLE "%s/tools/pkg-config" CACHE FILEPATH "")\n' "$root"
  fi
  if $own_compiler; then
    printf 'set(CMAKE_CXX_COMPILER "%s/tools/g++")\n' "$root"
  fi
  printf 'list(APPEND CMAKE_PREFIX_PATH "%s/.venv")\n' "$PWD"
} >"$root/toolchain.cmake"
if [ -e "$root/usr/bin/bwrap" ]; then wrapper bwrap "$root/usr/bin/bwrap"; fi
if $own_compiler; then
  compiler=$(find "$root/usr/bin" -name "$triplet-g++-[0-9]*" | sort -V | tail -n 1)
  wrapper g++ "PATH=$root/usr/bin:\$PATH $compiler --sysroot=$root"
  ln -sf g++ "$root/tools/c++"
  for tool in ar ranlib ld nm objcopy strip readelf; do
    if [ -e "$root/usr/bin/$tool" ]; then wrapper "$tool" "$(readlink -f "$root/usr/bin/$tool")"; fi
  done
fi
printf '%s\n' "$wanted" >"$stamp"
