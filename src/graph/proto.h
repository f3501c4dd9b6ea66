// Between the graph and ONNX's protobuf messages. Only files that talk to the onnx library include this.
#pragma once

#include <onnx/onnx_pb.h>

#include <vector>

#include "graph/graph.h"
#include "graph/wire.h"

namespace tarmac {

/// How tensors of a skeleton that carry a payload marker get their bytes back.
class PayloadSource {
 public:
  virtual ~PayloadSource() = default;
  virtual Result<Tensor> payload(const onnx::TensorProto& marked, std::size_t index) = 0;
  virtual Result<Tensor> external(const onnx::TensorProto& tensor) = 0;
};

/// Payloads that are tensors already, by index; borrowed.
class TensorPayloads final : public PayloadSource {
 public:
  explicit TensorPayloads(const std::vector<Tensor>& tensors) : tensors_(tensors) {}
  Result<Tensor> payload(const onnx::TensorProto& marked, std::size_t index) override;
  Result<Tensor> external(const onnx::TensorProto& tensor) override;

 private:
  const std::vector<Tensor>& tensors_;
};

/// Builds a model; consumes `proto`. Errors: kInvalidModel with the node's or value's name.
Result<Model> model_from_proto(onnx::ModelProto& proto, PayloadSource& source);

/// A model as a proto in which each tensor of at least `threshold_bytes` is a marker for one of `payloads`.
struct Skeleton {
  onnx::ModelProto proto;
  std::vector<Tensor> payloads;
};
Skeleton to_skeleton(const Model& model, std::size_t threshold_bytes);

/// What shape inference looks at: nodes, types and small tensors. Larger ones are called external, without
/// data; doc strings and metadata of nodes and values are left out.
void to_bare_proto(const Model& model, std::size_t threshold_bytes, onnx::ModelProto& proto);

/// Errors: kInvalidModel (0 or not a type), kUnsupported (a type that ONNX has and Tarmac does not).
Result<DType> dtype_from_proto(int data_type);
Result<Type> type_from_proto(const onnx::TypeProto& proto);
void type_to_proto(const Type& type, onnx::TypeProto& proto);

/// The index in a payload marker; -1 when the tensor carries none.
std::int64_t marker_index(const onnx::TensorProto& tensor);
/// Makes the tensor a marker for payload `index`.
void set_marker(onnx::TensorProto& tensor, std::size_t index);

/// Runs onnx's checker, after refusing what is newer than the library (kUnsupported), what the checker passes
/// over (experimental operators), and external data of tensors that we would not look at. Marked and external
/// tensors are shown to it as empty; their sizes are our own check.
Status check_proto(onnx::ModelProto proto);

/// Moves the nodes of TensorRT projects' plugins, which ONNX does not know, out of ONNX's domain into
/// "trt.plugins".
void name_foreign_domains(onnx::ModelProto& proto);

/// Calls `visit` for every message of type T inside `message`, however deep; protobuf's own limit bounds the
/// recursion.
template <typename T>
void for_each_message(google::protobuf::Message& message, const std::function<void(T&)>& visit) {
  if (auto* wanted = dynamic_cast<T*>(&message)) visit(*wanted);
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      for_each_message(*reflection->MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      for_each_message(*reflection->MutableRepeatedMessage(&message, field, i), visit);
    }
  }
}

/// Calls `visit` for every tensor of a model: initializers and attributes, nested graphs and functions
/// included.
void for_each_tensor(onnx::ModelProto& proto, const std::function<void(onnx::TensorProto&)>& visit);

inline constexpr std::size_t kProtobufLimitBytes = (std::size_t{2} << 30U) - 1;

/// Tensors below this many bytes travel through protobuf; larger ones stay mapped.
inline constexpr std::size_t kPayloadThresholdBytes = 1024;

}  // namespace tarmac
