# openvino::runtime and TBB::tbb. OpenVINO brings the newer oneTBB, so its copy is the one that the whole process uses.
# TARMAC_OPENVINO_LIB holds the libraries; headers, which only this tree's own build needs, are in TARMAC_OPENVINO_INCLUDE.

set(TARMAC_HAS_OPENVINO OFF)
if(TARMAC_OPENVINO)
  file(GLOB openvino_library ${TARMAC_OPENVINO_LIB}/libopenvino.so.*)
  if(openvino_library)
    set(TARMAC_HAS_OPENVINO ON)
  endif()
endif()

if(TARMAC_HAS_OPENVINO)
  add_library(TBB::tbb SHARED IMPORTED GLOBAL)
  set_target_properties(TBB::tbb PROPERTIES
    IMPORTED_LOCATION ${TARMAC_OPENVINO_LIB}/libtbb.so.12
    INTERFACE_INCLUDE_DIRECTORIES "${TARMAC_OPENVINO_INCLUDE}")
  add_library(openvino::runtime SHARED IMPORTED GLOBAL)
  set_target_properties(openvino::runtime PROPERTIES
    IMPORTED_LOCATION ${openvino_library}
    INTERFACE_INCLUDE_DIRECTORIES "${TARMAC_OPENVINO_INCLUDE}"
    INTERFACE_COMPILE_DEFINITIONS OV_THREAD=OV_THREAD_TBB_ADAPTIVE
    INTERFACE_LINK_LIBRARIES TBB::tbb)
else()
  find_package(TBB REQUIRED)
endif()
