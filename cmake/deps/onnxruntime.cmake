# onnxruntime::onnxruntime: the library of the PyPI wheel in TARMAC_ONNXRUNTIME_LIB, with the C/C++ headers that ./dev deps found for
# it in TARMAC_ONNXRUNTIME_INCLUDE (only this tree's own build needs them).

set(TARMAC_HAS_ONNXRUNTIME OFF)
if(TARMAC_ONNXRUNTIME AND EXISTS ${TARMAC_ONNXRUNTIME_LIB}/libonnxruntime.so.1)
  add_library(onnxruntime::onnxruntime SHARED IMPORTED GLOBAL)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES
    IMPORTED_LOCATION ${TARMAC_ONNXRUNTIME_LIB}/libonnxruntime.so.1
    INTERFACE_INCLUDE_DIRECTORIES "${TARMAC_ONNXRUNTIME_INCLUDE}")
  set(TARMAC_HAS_ONNXRUNTIME ON)
endif()
