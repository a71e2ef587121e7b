# What `cmake --install` gives, the package for find_package and pkg-config, and the Debian package that `cpack` makes of it.
install(TARGETS grpo grpo_torch EXPORT grpoTargets FILE_SET HEADERS)
install(TARGETS grpo_program)
set_target_properties(grpo_torch PROPERTIES EXPORT_NAME torch)

string(REGEX REPLACE "^([0-9]+)\\.([0-9]+).*" "\\1.\\2" torch_minor "${LibTorch_VERSION}")  # others do not fit what was compiled
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/grpo")
install(EXPORT grpoTargets NAMESPACE grpo:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/grpoConfig.cmake.in grpoConfig.cmake INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(grpoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/grpoConfig.cmake" "${PROJECT_BINARY_DIR}/grpoConfigVersion.cmake" cmake/FindLibTorch.cmake
        cmake/FindTextLibraries.cmake cmake/FindHttpLibrary.cmake cmake/FindExactNumbers.cmake cmake/FindCompression.cmake DESTINATION "${package_dir}")
file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "/${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/grpo.pc.in grpo.pc @ONLY)
if(GRPO_SHARED)  # a static library needs more than fits a .pc file: torch's and the small libraries' own
  install(FILES "${PROJECT_BINARY_DIR}/grpo.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

# Licence, the reference of all options, and what is written about each room.
install(FILES LICENSE README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES configs/README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME options.md)
install(DIRECTORY src/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/rooms" FILES_MATCHING PATTERN README.md)

# Where this build found torch; a package for other machines leaves it out.
install(CODE "
  set(link \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/${torch_link}\")
  get_filename_component(folder \"\${link}\" DIRECTORY)
  file(MAKE_DIRECTORY \"\${folder}\")
  file(CREATE_LINK \"${LibTorch_ROOT_DIR}\" \"\${link}\" SYMBOLIC)" COMPONENT torch_link)

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_CONTACT "libgrpo's developers <libgrpo@localhost>")
  set(CPACK_PACKAGE_VENDOR libgrpo)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
  set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  get_cmake_property(CPACK_COMPONENTS_ALL COMPONENTS)
  list(REMOVE_ITEM CPACK_COMPONENTS_ALL torch_link)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${LibTorch_ROOT_DIR}/lib")
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3-pip, python3-venv, bubblewrap")
  include(CPack)
endif()
