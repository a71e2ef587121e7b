# libgrpo of all rooms, the grpo program, and their installation as the package `grpo` (find_package(grpo) → grpo::grpo).
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY GRPO_ROOMS)
add_library(grpo SHARED)
add_library(grpo::grpo ALIAS grpo)
# The rooms' objects and what they link are the library's own business: nothing of it is exported.
foreach(part IN LISTS rooms ITEMS grpo_options grpo_text_libraries grpo_http_library OpenMP::OpenMP_CXX spdlog::spdlog Threads::Threads)
  target_link_libraries(grpo PRIVATE $<BUILD_INTERFACE:${part}>)
endforeach()
target_link_libraries(grpo PUBLIC LibTorch::LibTorch)
# An installed library finds torch where the build found it, even in this project's own .venv, which CMake would leave out.
get_filename_component(torch_libraries "${LibTorch_CPU_LIBRARY}" DIRECTORY)
if(GRPO_CUDA)
  target_link_libraries(grpo PRIVATE $<BUILD_INTERFACE:LibTorch::CUDA> $<BUILD_INTERFACE:CUDA::cudart>)
endif()
target_compile_features(grpo PUBLIC cxx_std_20)
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/grpo/*.h")
target_sources(grpo PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${public_headers})
set_target_properties(grpo PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      VERIFY_INTERFACE_HEADER_SETS ON INSTALL_RPATH "$ORIGIN;${torch_libraries};${CMAKE_INSTALL_RPATH}" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS grpo EXPORT grpoTargets FILE_SET HEADERS)

if(EXISTS "${PROJECT_SOURCE_DIR}/src/grpo_main.cpp")  # not grpo_cli: that is the room
  add_executable(grpo_program "${PROJECT_SOURCE_DIR}/src/grpo_main.cpp")
  target_link_libraries(grpo_program PRIVATE grpo grpo_options)
  set_target_properties(grpo_program PROPERTIES OUTPUT_NAME grpo RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin"
                        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${CMAKE_INSTALL_RPATH}" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS grpo_program)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/grpo")
install(EXPORT grpoTargets NAMESPACE grpo:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/grpoConfig.cmake.in grpoConfig.cmake INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(grpoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/grpoConfig.cmake" "${PROJECT_BINARY_DIR}/grpoConfigVersion.cmake" cmake/FindLibTorch.cmake
        DESTINATION "${package_dir}")
