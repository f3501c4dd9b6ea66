// Models as bytes, built piece by piece: what no exporter would write, and more weights than memory should
// hold.
#pragma once

#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/temporary_folder.h"

namespace tarmac::test {

/// y = Identity(x), valid, to be changed by a test.
inline onnx::ModelProto small_proto() {
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  auto* opset = proto.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  auto* graph = proto.mutable_graph();
  graph->set_name("g");
  auto* node = graph->add_node();
  node->set_op_type("Identity");
  node->add_input("x");
  node->add_output("y");
  for (auto* info : {graph->add_input(), graph->add_output()}) {
    info->set_name(info == &graph->input(0) ? "x" : "y");
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_value(2);
  }
  return proto;
}

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80U; value >>= 7U) bytes += static_cast<char>((value & 0x7FU) | 0x80U);
  return bytes + static_cast<char>(value);
}

/// Tag and length of a length-delimited field.
inline std::string field_header(unsigned field, std::uint64_t length) {
  return varint(std::uint64_t{field} << 3U | 2U) + varint(length);
}

/// Writes small_proto() with one more initializer "w" whose value field has `hole_bytes` zeros that take no
/// disk space.
inline std::filesystem::path write_sparse_model(const TemporaryFolder& folder,
                                                const onnx::TensorProto& tensor, unsigned value_field,
                                                std::uint64_t hole_bytes) {
  const std::string initializer = tensor.SerializeAsString() + field_header(value_field, hole_bytes);
  onnx::ModelProto proto = small_proto();
  const std::string graph =
      proto.graph().SerializeAsString() + field_header(5, initializer.size() + hole_bytes);
  proto.clear_graph();
  const std::string model = proto.SerializeAsString() +
                            field_header(7, graph.size() + initializer.size() + hole_bytes) + graph +
                            initializer;
  const auto path = folder.write("sparse.onnx", model);
  std::filesystem::resize_file(path, model.size() + hole_bytes);
  return path;
}

}  // namespace tarmac::test
