# LibTorch::LibTorch from a torch install (wheel or unpacked LibTorch archive), without TorchConfig: that one demands a CUDA toolkit
# whenever the wheel was built with CUDA. Looks in, first to last: Torch_ROOT or Torch_DIR (variable or environment), CMAKE_PREFIX_PATH,
# the active virtual environment, <source>/.venv, and whatever python3 imports.
set(_torch_candidates ${Torch_ROOT} $ENV{Torch_ROOT} ${CMAKE_PREFIX_PATH})
foreach(_dir IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
  if(_dir)
    list(APPEND _torch_candidates "${_dir}/../../..")
  endif()
endforeach()
foreach(_venv IN ITEMS "$ENV{VIRTUAL_ENV}" "${CMAKE_CURRENT_SOURCE_DIR}/.venv")
  if(_venv)
    file(GLOB _found "${_venv}/lib/python3*/site-packages/torch")
    list(APPEND _torch_candidates ${_found})
  endif()
endforeach()

find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_torch_candidates} PATH_SUFFIXES include torch/include NO_DEFAULT_PATH)
if(NOT LibTorch_INCLUDE_DIR)
  find_program(_python NAMES python3)
  if(_python)
    execute_process(COMMAND ${_python} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
                    OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_python_torch)
      find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_python_torch} PATH_SUFFIXES include NO_DEFAULT_PATH)
    endif()
  endif()
endif()
if(LibTorch_INCLUDE_DIR)
  get_filename_component(LibTorch_ROOT_DIR "${LibTorch_INCLUDE_DIR}/.." REALPATH)
  find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
  find_library(LibTorch_C10_LIBRARY c10 HINTS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
  file(STRINGS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h" _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  if(NOT _version AND EXISTS "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h")
    file(STRINGS "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h" _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  endif()
  string(REGEX REPLACE "[^0-9]+([0-9]+)" ".\\1" LibTorch_VERSION "${_version}")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${LibTorch_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "install it with cmake/bootstrap.sh, or give -DTorch_ROOT=/path/to/site-packages/torch (or an unpacked LibTorch archive)")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_C10_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  add_library(LibTorch::LibTorch SHARED IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}" INTERFACE_LINK_LIBRARIES LibTorch::c10)
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
