# onnxruntime::onnxruntime: the library of the PyPI wheel with the C/C++ headers that ./dev deps found for it.

set(TARMAC_HAS_ONNXRUNTIME OFF)
if(TARMAC_ONNXRUNTIME AND EXISTS ${TARMAC_ONNXRUNTIME_INCLUDE}/onnxruntime_cxx_api.h)
  add_library(onnxruntime::onnxruntime SHARED IMPORTED GLOBAL)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES
    IMPORTED_LOCATION ${TARMAC_ONNXRUNTIME_LIB}/libonnxruntime.so.1
    INTERFACE_INCLUDE_DIRECTORIES ${TARMAC_ONNXRUNTIME_INCLUDE})
  set(TARMAC_HAS_ONNXRUNTIME ON)
endif()
