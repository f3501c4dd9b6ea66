#include "fuzz/seeds.h"

#include "support/graph_checks.h"
#include "support/wire_model.h"

namespace tarmac::test {
namespace {

std::string from_text(const std::string& text) { return expect_ok(serialize_model(model(text))); }

/// Weights beyond the size from which they are mapped: raw, packed floats, packed integers, strings, a sparse
/// one.
std::string with_weights() {
  onnx::ModelProto proto = small_proto();
  const auto add = [&](const char* name, int data_type, std::int64_t count) -> onnx::TensorProto& {
    auto* tensor = proto.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(data_type);
    tensor->add_dims(count);
    return *tensor;
  };
  add("raw", onnx::TensorProto::FLOAT, 300).set_raw_data(std::string(1200, 'r'));
  auto& floats = add("floats", onnx::TensorProto::FLOAT, 300);
  auto& integers = add("integers", onnx::TensorProto::INT64, 1100);
  auto& strings = add("strings", onnx::TensorProto::STRING, 2);
  for (int i = 0; i < 300; ++i) floats.add_float_data(1.5F);
  for (int i = 0; i < 1100; ++i) integers.add_int64_data(i);
  strings.add_string_data("a");
  strings.add_string_data("b");
  auto* sparse = proto.mutable_graph()->add_sparse_initializer();
  sparse->add_dims(4);
  sparse->mutable_values()->set_name("sparse");
  sparse->mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
  sparse->mutable_values()->add_dims(1);
  sparse->mutable_values()->add_float_data(1);
  sparse->mutable_indices()->set_data_type(onnx::TensorProto::INT64);
  sparse->mutable_indices()->add_dims(1);
  sparse->mutable_indices()->add_int64_data(2);
  return proto.SerializeAsString();
}

}  // namespace

std::vector<std::string> seed_models() {
  return {
      small_proto().SerializeAsString(),
      from_text(R"(<ir_version: 8, opset_import: ["": 17]>
        g (float[N, 3] x, float[3] bias = {1, 2, 3}) => (float[N, 3] y) <int64[2] axes = {0, 1}>
        { [n] a, b = Split <axis = 0> (x)  c = Concat <axis = 0> (a, b)  y = Add(c, bias) })"),
      from_text(R"(<ir_version: 8, opset_import: ["": 17]>
        g (bool c, float[2] x) => (float[2] y) {
          y = If (c) <then_branch = t () => (float[2] t_out) {
                        inner = Relu(x)
                        t_out = If (c) <then_branch = tt () => (float[2] o1) { o1 = Neg(inner) },
                                        else_branch = te () => (float[2] o2) { o2 = Identity(x) }>
                      },
                      else_branch = e () => (float[2] e_out) { e_out = Identity(x) }> })"),
      from_text(R"(<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[2] x) => (float[2] y) { y = local.scaled <factor = 2.0> (x) }
        <domain: "local", opset_import: ["": 17]>
        scaled <factor> (a) => (b) { f = Constant <value_float: float = @factor> () b = Mul(a, f) })"),
      with_weights(),
  };
}

}  // namespace tarmac::test
