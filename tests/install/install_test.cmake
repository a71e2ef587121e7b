# Installs the build into a fresh prefix, then configures, builds and runs the consumer project against it, as a user would.
# cmake -DSOURCE_DIR=consumer -DBUILD_DIR=… -DTORCH_DIR=… -DCOMPILER=… -DGENERATOR=… -P install_test.cmake
set(work "${BUILD_DIR}/install-test")
file(REMOVE_RECURSE "${work}")
unset(ENV{LD_LIBRARY_PATH})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${status}\n${output}")
  endif()
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${work}/prefix")
run("${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE_DIR}" -B "${work}/build" -DCMAKE_PREFIX_PATH=${work}/prefix -DTorch_ROOT=${TORCH_DIR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Release)
run("${CMAKE_COMMAND}" --build "${work}/build")
run("${work}/build/consumer")
if(EXISTS "${work}/prefix/bin/grpo")
  run("${work}/prefix/bin/grpo" info)
endif()
