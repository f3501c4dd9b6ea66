# openvino::runtime and TBB::tbb. OpenVINO brings the newer oneTBB, so its copy is the one that the whole process uses.

set(TARMAC_HAS_OPENVINO OFF)
if(TARMAC_OPENVINO)
  find_package(OpenVINO QUIET CONFIG PATHS ${TARMAC_OPENVINO_ROOT}/cmake NO_DEFAULT_PATH)
  set(TARMAC_HAS_OPENVINO ${OpenVINO_FOUND})
endif()
if(TARMAC_HAS_OPENVINO)
  find_package(TBB REQUIRED CONFIG PATHS ${TARMAC_OPENVINO_ROOT}/cmake NO_DEFAULT_PATH)
  set(TARMAC_TBB_LIB ${TARMAC_OPENVINO_ROOT}/libs)
  list(APPEND CMAKE_BUILD_RPATH ${TARMAC_TBB_LIB})
else()
  find_package(TBB REQUIRED)
endif()
