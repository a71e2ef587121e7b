# libgrpo of all rooms, the grpo program, and their installation as the package `grpo` (find_package(grpo) → grpo::grpo).
get_property(rooms GLOBAL PROPERTY GRPO_ROOMS)
add_library(grpo SHARED)
add_library(grpo::grpo ALIAS grpo)
foreach(room IN LISTS rooms)
  target_sources(grpo PRIVATE $<TARGET_OBJECTS:${room}>)
endforeach()
target_sources(grpo PRIVATE $<TARGET_OBJECTS:grpo_kernels>)
set_target_properties(grpo PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} INSTALL_RPATH "$ORIGIN"
                      INSTALL_RPATH_USE_LINK_PATH ON)
target_link_libraries(grpo PUBLIC LibTorch::LibTorch PRIVATE $<BUILD_INTERFACE:grpo_options> $<BUILD_INTERFACE:grpo_text_libraries> OpenMP::OpenMP_CXX
                      $<BUILD_INTERFACE:spdlog::spdlog> Threads::Threads)
target_compile_features(grpo PUBLIC cxx_std_20)
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/grpo/*.h")
target_sources(grpo PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${public_headers})
set_target_properties(grpo PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
