#!/usr/bin/env bash
# Gets what a build needs and lacks on Debian or Ubuntu, and says what it does: cmake/bootstrap.sh [--tests] [--cuda] [--nvcc]
#   --tests  also what tests/run.sh needs: GoogleTest, RapidCheck, clang and its tools
#   --cuda   torch with all CUDA libraries (chosen by itself where an NVIDIA driver is loaded)
#   --nvcc   a CUDA compiler, where no toolkit is installed; no driver is needed
# Packages come by apt, LibTorch by pip into .venv, unless one is given: Torch_ROOT, Torch_DIR, CMAKE_PREFIX_PATH, an active virtual
# environment, or a torch that python3 imports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=2.11.0
build_packages=(g++ cmake ninja-build pkg-config ccache git python3-venv nlohmann-json3-dev libspdlog-dev libcli11-dev libpcre2-dev
                libutf8proc-dev libsentencepiece-dev libgloo-dev)
test_packages=(libgtest-dev librapidcheck-dev libbenchmark-dev clang libclang-rt-dev libomp-dev clang-format clang-tidy)

say() { echo "bootstrap: $*"; }
die() { echo "bootstrap: $*" >&2; exit 1; }

packages=("${build_packages[@]}")
flavour=cpu nvcc=false
if [ -e /proc/driver/nvidia/version ] || nvidia-smi >/dev/null 2>&1; then flavour=cuda; fi
for argument in "$@"; do
  case $argument in
    --tests) packages+=("${test_packages[@]}") ;;
    --cuda) flavour=cuda ;;
    --nvcc) nvcc=true ;;
    *) die "expected --tests, --cuda or --nvcc; got $argument" ;;
  esac
done

missing_packages() {
  # A package may be installed for several architectures, and dpkg-query fails for unknown ones while it lists the rest.
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || echo "$package"
  done
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian or Ubuntu: nothing is installed; Debian's names of what is needed: ${packages[*]}"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "there is no sudo: as root, run: apt-get install ${missing[*]}"
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

pip_install() {
  if [ ! -x .venv/bin/pip ]; then
    say "making the virtual environment .venv"
    python3 -m venv .venv
  fi
  .venv/bin/pip install --quiet --disable-pip-version-check "$@"
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

install_nvcc() {
  local found=(.venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
  if [ -x "${found[0]}" ] || PATH=$PATH:/usr/local/cuda/bin command -v nvcc >/dev/null; then return; fi
  say "installing nvcc into .venv"
  pip_install --no-deps nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 \
    nvidia-cuda-runtime==13.0.96
}

install_packages
install_torch
if $nvcc; then install_nvcc; fi
say "everything is there"
