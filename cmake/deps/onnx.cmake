# onnx: protos, schemas, checker, shape inference and version converter, static, with the system's protobuf.

find_package(Protobuf REQUIRED)
add_library(onnx STATIC IMPORTED GLOBAL)
add_library(tarmac_onnx_proto STATIC IMPORTED GLOBAL)
set_target_properties(tarmac_onnx_proto PROPERTIES
  IMPORTED_LOCATION ${TARMAC_ONNX_ROOT}/lib/libonnx_proto.a
  INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
set_target_properties(onnx PROPERTIES
  IMPORTED_LOCATION ${TARMAC_ONNX_ROOT}/lib/libonnx.a
  INTERFACE_INCLUDE_DIRECTORIES ${TARMAC_ONNX_ROOT}/include
  INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
  INTERFACE_LINK_LIBRARIES tarmac_onnx_proto)
