# Every dependency under one stable target name; build/deps.cmake (written by `./dev deps`) says where the private ones lie.

set(TARMAC_DEPS_FILE ${CMAKE_SOURCE_DIR}/build/deps.cmake)
if(SKBUILD)
  # pip install: what pip set for its own child processes is not for those of ./dev.
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=PYTHONPATH ${CMAKE_SOURCE_DIR}/dev deps RESULT_VARIABLE deps_failed)
  if(deps_failed)
    message(FATAL_ERROR "./dev deps failed, which installs what the build needs. Run it by hand, then pip install again.")
  endif()
endif()
if(NOT EXISTS ${TARMAC_DEPS_FILE})
  message(FATAL_ERROR "Dependencies are not installed: found no ${TARMAC_DEPS_FILE}. Run ./dev deps and configure again.")
endif()
include(${TARMAC_DEPS_FILE})
file(SHA256 ${CMAKE_SOURCE_DIR}/cmake/dependencies.lock TARMAC_LOCK_NOW)
if(NOT TARMAC_LOCK_NOW STREQUAL TARMAC_LOCK_DIGEST)
  message(FATAL_ERROR "cmake/dependencies.lock changed since ./dev deps ran. Run ./dev deps and configure again.")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/dependencies.lock)

find_program(TARMAC_CCACHE ccache)
if(TARMAC_CCACHE)
  # base_dir makes clones in different folders share their objects.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DIR=${TARMAC_CCACHE_DIR} CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
    CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=5G ${TARMAC_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

foreach(dependency IN ITEMS openvino onnxruntime onnx opencv system program)
  include(deps/${dependency})
endforeach()
if(TARMAC_TESTS)
  find_package(GTest REQUIRED)
endif()
