# libgrpo of all rooms, the grpo program, and their installation as the package `grpo`: find_package(grpo) gives grpo::grpo, whose headers
# need no torch, and grpo::torch for those that show tensors.
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY GRPO_ROOMS)
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/grpo/*.h")

# grpo_library(name): the rooms' objects and what they link, which is the library's own business. Whoever links it gets torch's libraries,
# but not its headers.
function(grpo_library name type)
  add_library(${name} ${type} ${ARGN})
  foreach(part IN LISTS rooms ITEMS grpo_options grpo_text_libraries grpo_http_library grpo_number_library grpo_compression_libraries OpenMP::OpenMP_CXX spdlog::spdlog Threads::Threads)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:${part}>)
  endforeach()
  if(GRPO_CUDA)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:LibTorch::CUDA> $<BUILD_INTERFACE:CUDA::cudart>)
  endif()
  target_link_libraries(${name} PRIVATE LibTorch::LibTorch)
  target_compile_features(${name} PUBLIC cxx_std_20)
endfunction()

# grpo_internal: for tests and benchmarks, which see what is hidden.
if(GRPO_SHARED AND GRPO_HIDE)
  grpo_library(grpo SHARED)
  # of std's templates and of what other libraries declare nothing leaves it
  target_link_options(grpo PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map")
  set_property(TARGET grpo APPEND PROPERTY LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/exports.map")
  grpo_library(grpo_internal STATIC EXCLUDE_FROM_ALL)
  target_include_directories(grpo_internal PUBLIC "${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(grpo_internal PUBLIC LibTorch::LibTorch)
elseif(GRPO_SHARED)
  grpo_library(grpo SHARED)
else()
  grpo_library(grpo STATIC)
  target_link_libraries(grpo INTERFACE $<INSTALL_INTERFACE:$<LINK_ONLY:grpo::small_libraries>>)  # grpoConfig.cmake finds them
endif()
if(NOT TARGET grpo_internal)
  add_library(grpo_internal INTERFACE)
  target_link_libraries(grpo_internal INTERFACE grpo LibTorch::LibTorch)
endif()
add_library(grpo::grpo ALIAS grpo)
target_include_directories(grpo INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
# a program whose own code needs nothing of torch must load it all the same: a RUNPATH does not reach what libgrpo needs
target_link_libraries(grpo INTERFACE $<LINK_ONLY:LibTorch::LibTorch>)
target_link_options(grpo INTERFACE "LINKER:--no-as-needed")
add_library(grpo_torch INTERFACE)
add_library(grpo::torch ALIAS grpo_torch)
target_link_libraries(grpo_torch INTERFACE grpo LibTorch::LibTorch)
target_sources(grpo_torch INTERFACE FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${public_headers})
set_target_properties(grpo_torch PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

# What is recorded of torch in an installed library is one link beside it, lib/grpo/torch, which a user may point elsewhere.
set(torch_link "grpo/torch")
set(runpath "$ORIGIN;$ORIGIN/${torch_link}/lib;${CMAKE_INSTALL_RPATH}")
set_target_properties(grpo PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      INSTALL_RPATH "${runpath}")
if(GRPO_SHARED)
  # opens libgrpo by itself, so that a missing torch gets a sentence
  add_executable(grpo_program "${PROJECT_SOURCE_DIR}/src/grpo_launcher.cpp")
  set(torch_libraries "\"libc10.so\", \"libtorch_cpu.so\"")
  if(GRPO_CUDA)
    string(APPEND torch_libraries ", \"libc10_cuda.so\", \"libtorch_cuda.so\"")
  endif()
  target_compile_definitions(grpo_program PRIVATE GRPO_TORCH_VERSION="${LibTorch_VERSION}" "GRPO_TORCH_LIBRARIES={${torch_libraries}}"
                             GRPO_LIBRARY="libgrpo.so.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  target_link_libraries(grpo_program PRIVATE ${CMAKE_DL_LIBS} grpo_options)
  add_dependencies(grpo_program grpo)
  set_target_properties(grpo_program PROPERTIES BUILD_RPATH "$<TARGET_FILE_DIR:grpo>")
else()
  add_executable(grpo_program "${PROJECT_SOURCE_DIR}/src/grpo_main.cpp")
  target_link_libraries(grpo_program PRIVATE grpo grpo_options)
endif()
file(RELATIVE_PATH bin_to_lib "/${CMAKE_INSTALL_FULL_BINDIR}" "/${CMAKE_INSTALL_FULL_LIBDIR}")
set_target_properties(grpo_program PROPERTIES OUTPUT_NAME grpo RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin" INSTALL_RPATH
                      "$ORIGIN/${bin_to_lib};$ORIGIN/${bin_to_lib}/${torch_link}/lib;${CMAKE_INSTALL_RPATH}")

if(GRPO_INSTALL)
  include(GrpoInstall)
endif()
