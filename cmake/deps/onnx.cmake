# onnx: protos, schemas, checker, shape inference and version converter, static in TARMAC_ONNX_LIB, with the system's protobuf.

find_package(Protobuf REQUIRED)
add_library(tarmac_onnx_proto STATIC IMPORTED GLOBAL)
set_target_properties(tarmac_onnx_proto PROPERTIES
  IMPORTED_LOCATION ${TARMAC_ONNX_LIB}/libonnx_proto.a
  INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
add_library(onnx STATIC IMPORTED GLOBAL)
set_target_properties(onnx PROPERTIES
  IMPORTED_LOCATION ${TARMAC_ONNX_LIB}/libonnx.a
  INTERFACE_INCLUDE_DIRECTORIES "${TARMAC_ONNX_INCLUDE}"
  INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
  INTERFACE_LINK_LIBRARIES tarmac_onnx_proto)
