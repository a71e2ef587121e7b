#!/usr/bin/env bash
# Gets what a build needs and lacks on Debian or Ubuntu, and says what it does: cmake/bootstrap.sh [--tests] [--cuda] [--nvcc] [--packages] [--torch] [--newest-torch]
#   --tests     also what tests/run.sh needs: GoogleTest, RapidCheck, clang and its tools, Doxygen
#   --cuda      torch with all CUDA libraries (chosen by itself where an NVIDIA driver is loaded)
#   --nvcc      a CUDA compiler, where no toolkit is installed; no driver is needed
#   --packages  only the system's packages;  --torch  only LibTorch
#   --newest-torch  only the newest LibTorch that fits, into build/torch-newest, beside the one that is used
# Packages come by apt; without root they are unpacked into build/system (cmake/local_packages.sh), whence everything is found. LibTorch
# comes by pip into .venv, unless one is given: Torch_ROOT, Torch_DIR, CMAKE_PREFIX_PATH, an active virtual environment, or a torch that
# python3 imports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=2.11.0
newest_torch='torch>=2.15,<2.16'  # the end of the range in CMakeLists.txt
# By purpose, Debian's names. sentencepiece.pc of Debian 13 asks for protobuf-lite.pc, so libprotobuf-dev.
compile_packages=(g++ pkg-config)
tool_packages=(cmake ninja-build ccache git python3-venv)
library_packages=(nlohmann-json3-dev libspdlog-dev libcli11-dev libpcre2-dev libutf8proc-dev libsentencepiece-dev libprotobuf-dev libxxhash-dev libcpp-httplib-dev libflint-dev zlib1g-dev libzstd-dev libgloo-dev)
# Until FLINT 3 its balls were a package of their own: on Debian 12 and Ubuntu 22.04.
if grep -qsE '^VERSION_ID="?(12|22\.04)"?$' /etc/os-release; then library_packages+=(libflint-arb-dev); fi
sandbox_packages=(bubblewrap)  # what keeps the code reward's programs from the machine; found at run time
test_packages=(pybind11-dev libpython3-dev libgtest-dev librapidcheck-dev libbenchmark-dev clang libclang-rt-dev libomp-dev clang-format clang-tidy
               doxygen doxygen-awesome-css)

say() { echo "bootstrap: $*"; }
die() { echo "bootstrap: $*" >&2; exit 1; }

flavour=cpu nvcc=false tests=false packages=true torch=true newest=false
if [ -e /proc/driver/nvidia/version ] || nvidia-smi >/dev/null 2>&1; then flavour=cuda; fi
for argument in "$@"; do
  case $argument in
    --tests) tests=true ;;
    --cuda) flavour=cuda ;;
    --nvcc) nvcc=true ;;
    --packages) torch=false ;;
    --torch) packages=false ;;
    --newest-torch) packages=false torch=false newest=true ;;
    *) die "expected --tests, --cuda, --nvcc, --packages, --torch or --newest-torch; got $argument" ;;
  esac
done
if $tests; then wanted_tests=("${test_packages[@]}"); else wanted_tests=(); fi

missing_packages() {
  # A package may be installed for several architectures, and dpkg-query fails for unknown ones while it lists the rest.
  local installed package
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qx "$package installed" <<<"$installed" || echo "$package"
  done
}

# On a system without apt: which of what is needed is there, and what is not, by purpose.
name_what_is_needed() {
  local command
  say "this is no Debian or Ubuntu: nothing is installed, and what is there is used. Needed are"
  say "  a C++20 compiler (g++ 12 or clang 16 and later), CMake 3.25 and Ninja, pkg-config, git and Python 3 with venv;"
  say "  headers and libraries of nlohmann-json 3.11, spdlog, CLI11, PCRE2 (8 bit), utf8proc, sentencepiece, xxHash, cpp-httplib, FLINT 2.9 with Arb or FLINT 3, zlib, zstd; gloo's headers or -DGRPO_GLOO=OFF;"
  if $tests; then say "  for tests GoogleTest, RapidCheck, Google Benchmark, clang with its sanitizers, clang-format 14 and clang-tidy;"; fi
  say "  at run time, for rewards that run foreign code, bubblewrap (bwrap);"
  say "  cmake/environment.yml names them for conda; -DGRPO_FETCH=ON gets the small libraries' sources by commit"
  for command in c++ cmake ninja pkg-config git python3; do
    command -v "$command" >/dev/null || say "  not found: $command"
  done
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    name_what_is_needed
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages "${compile_packages[@]}" "${tool_packages[@]}" "${library_packages[@]}" "${sandbox_packages[@]}" "${wanted_tests[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null && [ -z "${GRPO_NO_ROOT:-}" ]; }; then
      say "no root: packages go into build/system (as root it would be: apt-get install ${missing[*]})"
      cmake/local_packages.sh "${compile_packages[@]}" -- "${library_packages[@]}" "${sandbox_packages[@]}" "${wanted_tests[@]}"
      return
    fi
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The folder of a torch of the right version that somebody else installed; empty without one.
given_torch() {
  local candidate
  local places=("${Torch_ROOT:-}" "${Torch_DIR:+$Torch_DIR/../../..}")
  IFS=: read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  for candidate in "${prefixes[@]}"; do places+=("$candidate" "$candidate/torch" "$candidate/../.."); done
  if [ -n "${VIRTUAL_ENV:-}" ] && ! [ "$VIRTUAL_ENV" -ef .venv ]; then places+=("$VIRTUAL_ENV"/lib/python3*/site-packages/torch); fi
  if [ ! -e .venv ]; then
    places+=("$(python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' \
                2>/dev/null || true)")
  fi
  for candidate in "${places[@]}"; do
    if [ -n "$candidate" ] && grep -qs "define TORCH_VERSION_MINOR $(cut -d. -f2 <<<$torch_version)\$" "$candidate/include/torch/headeronly/version.h"; then
      echo "$candidate"
      return
    fi
  done
}

# Nothing of what is installed is run by Python, so nothing is compiled for it.
pip_install() {
  local pip=(.venv/bin/python -m pip) wheel
  if [ ! -x .venv/bin/python ]; then
    say "making the virtual environment .venv"
    if python3 -c 'import ensurepip' 2>/dev/null; then python3 -m venv .venv; else python3 -m venv --without-pip .venv; fi
  fi
  if ! [ -e .venv/bin/pip ]; then  # without root: pip's own wheel, as it stands in its package
    wheel=(build/system/usr/share/python-wheels/pip-*.whl)
    [ -e "${wheel[0]}" ] || die "expected pip in .venv or python3's ensurepip; got neither"
    pip=(.venv/bin/python "${wheel[0]}/pip")
  fi
  "${pip[@]}" install --quiet --disable-pip-version-check --no-compile "$@"
}

install_torch() {
  local given stamp=.venv/grpo-torch-$torch_version
  given=$(given_torch)
  if [ -n "$given" ]; then
    say "using torch in $given"
    return
  fi
  if [ -e "$stamp-cuda" ] || [ -e "$stamp-$flavour" ]; then return; fi
  say "installing torch $torch_version for $flavour into .venv (about a minute)"
  if [ "$flavour" = cuda ]; then
    pip_install "torch==$torch_version"
  else  # libtorch_cpu itself needs two of the wheel's many dependencies, and nothing of Python's
    pip_install --no-deps "torch==$torch_version" nvidia-cuda-cupti==13.0.85 nvidia-cuda-runtime==13.0.96
  fi
  touch "$stamp-$flavour"
}

# CMake and Ninja where no package could bring them.
install_tools() {
  local tool
  for tool in cmake ninja; do
    if ! command -v $tool >/dev/null && [ ! -x .venv/bin/$tool ]; then
      say "installing $tool into .venv"
      pip_install $tool
    fi
  done
}

install_nvcc() {
  local found=(.venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
  if [ -x "${found[0]}" ] || PATH=$PATH:/usr/local/cuda/bin command -v nvcc >/dev/null; then return; fi
  say "installing nvcc into .venv"
  pip_install --no-deps nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 \
    nvidia-cuda-runtime==13.0.96
}

if $packages; then
  install_packages
  install_tools
fi
if $torch; then install_torch; fi
if $newest && [ ! -d build/torch-newest/torch ]; then
  say "installing $newest_torch into build/torch-newest"
  pip_install --no-deps --target build/torch-newest "$newest_torch" nvidia-cuda-cupti==13.0.85 nvidia-cuda-runtime==13.0.96
fi
if $nvcc; then install_nvcc; fi
say "everything is there"
