# LibTorch::LibTorch from a torch install (wheel or unpacked LibTorch archive), without TorchConfig: that one demands a CUDA toolkit
# whenever the wheel was built with CUDA. With COMPONENTS CUDA also LibTorch::CUDA (torch_cuda, c10_cuda).
# Looks in, first to last: Torch_ROOT, Torch_DIR and CMAKE_PREFIX_PATH (variables, then environment), the active virtual environment,
# <source>/.venv, whatever python3 imports, and LibTorch_FALLBACK_DIR (where the installed grpo was built against).
set(_torch_candidates ${Torch_ROOT} $ENV{Torch_ROOT})
foreach(_dir IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
  if(_dir)
    list(APPEND _torch_candidates "${_dir}/../../..")
  endif()
endforeach()
file(TO_CMAKE_PATH "$ENV{CMAKE_PREFIX_PATH}" _prefixes)
list(APPEND _torch_candidates ${CMAKE_PREFIX_PATH} ${_prefixes})
foreach(_venv IN ITEMS "$ENV{VIRTUAL_ENV}" "${CMAKE_CURRENT_SOURCE_DIR}/.venv")
  if(_venv)
    file(GLOB _found "${_venv}/lib/python3*/site-packages/torch")
    list(APPEND _torch_candidates ${_found})
  endif()
endforeach()

# ../../include: torch.utils.cmake_prefix_path, which users put into CMAKE_PREFIX_PATH, is share/cmake.
set(_torch_suffixes include torch/include ../../include)
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_torch_candidates} PATH_SUFFIXES ${_torch_suffixes} NO_DEFAULT_PATH)
if(NOT LibTorch_INCLUDE_DIR)
  find_program(_python NAMES python3)
  if(_python)
    execute_process(COMMAND ${_python} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
                    OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_python_torch} ${LibTorch_FALLBACK_DIR} PATH_SUFFIXES include NO_DEFAULT_PATH)
endif()

set(_required LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR)
if(LibTorch_INCLUDE_DIR)
  get_filename_component(LibTorch_ROOT_DIR "${LibTorch_INCLUDE_DIR}/.." REALPATH)
  find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
  find_library(LibTorch_C10_LIBRARY c10 HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
  file(STRINGS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h" _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9]+([0-9]+)" ".\\1" LibTorch_VERSION "${_version}")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${LibTorch_VERSION}")
  if("CUDA" IN_LIST LibTorch_FIND_COMPONENTS)
    find_library(LibTorch_CUDA_LIBRARY torch_cuda HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
    find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
    list(APPEND _required LibTorch_CUDA_LIBRARY LibTorch_C10_CUDA_LIBRARY)
    set(LibTorch_CUDA_FOUND ${LibTorch_CUDA_LIBRARY})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS ${_required} VERSION_VAR LibTorch_VERSION HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE "install it with cmake/bootstrap.sh, or give -DTorch_ROOT=/path/to/site-packages/torch (or an unpacked LibTorch archive)")

function(_libtorch_library name location)
  add_library(LibTorch::${name} SHARED IMPORTED)
  set_target_properties(LibTorch::${name} PROPERTIES IMPORTED_LOCATION "${location}" INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  # Torch's own folders alone: beside them stand copies of fmt, protobuf, pybind11 and others, which would take the place of the system's.
  set(_headers "${CMAKE_BINARY_DIR}/CMakeFiles/libtorch")
  file(MAKE_DIRECTORY "${_headers}")
  foreach(_folder IN ITEMS ATen c10 caffe2 torch)
    file(CREATE_LINK "${LibTorch_INCLUDE_DIR}/${_folder}" "${_headers}/${_folder}" SYMBOLIC)
  endforeach()
  _libtorch_library(c10 "${LibTorch_C10_LIBRARY}")
  target_include_directories(LibTorch::c10 SYSTEM INTERFACE "${_headers}" "${_headers}/torch/csrc/api/include")
  # g++ compiled torch; from 18 on clang gives some of its templates other names, unless told to do as before.
  target_compile_options(LibTorch::c10 INTERFACE
    $<$<AND:$<COMPILE_LANG_AND_ID:CXX,Clang>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,18>>:-fclang-abi-compat=17>)
  _libtorch_library(LibTorch "${LibTorch_CPU_LIBRARY}" LibTorch::c10)
  if(LibTorch_CUDA_LIBRARY)
    _libtorch_library(c10_cuda "${LibTorch_C10_CUDA_LIBRARY}" LibTorch::c10)
    # torch_cuda registers its kernels when loaded, so the linker must keep it though nothing names it
    _libtorch_library(CUDA "${LibTorch_CUDA_LIBRARY}" LibTorch::c10_cuda LibTorch::LibTorch)
    target_link_options(LibTorch::CUDA INTERFACE "LINKER:--no-as-needed")
  endif()
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_CUDA_LIBRARY LibTorch_C10_CUDA_LIBRARY)
