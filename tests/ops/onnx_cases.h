// The onnx package's own cases of an operator whose meaning ours shares, run on our reference and kernel.
#pragma once

#include <string>

#include "graph/model_io.h"
#include "support/cases.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac::test {

/// The case's attributes and inputs, and what onnx expects.
struct OnnxCase {
  OperatorCase test;
  Tensor expected;
};

/// Every case whose name has `text` in it and whose model is one node of ONNX's `op_type`; none where the
/// cases are not there. Inputs that a node leaves out are empty tensors.
inline std::vector<OnnxCase> onnx_cases(const std::string& text, const std::string& op_type,
                                        const ops::Operator& op) {
  std::vector<OnnxCase> cases;
  for (const auto& path : case_models("node")) {
    const std::string name = path.parent_path().filename().string();
    if (name.find(text) == std::string::npos) continue;
    const Model model = expect_ok(load_model(path));
    const auto& nodes = model.graph->nodes();
    if (nodes.size() != 1 || (*nodes.begin())->op_type != op_type) continue;
    const Node& node = **nodes.begin();
    OnnxCase onnx = {
        {.name = name, .op = op, .attributes = expect_ok(ops::attributes_of(op, node)), .inputs = {}}, {}};
    const std::string folder = path.parent_path().string() + "/test_data_set_0/";
    int file = 0;
    for (const Value* input : node.inputs()) {
      onnx.test.inputs.push_back(input == nullptr ? Tensor()
                                                  : expect_ok(read_tensor_proto(
                                                        folder + "input_" + std::to_string(file++) + ".pb")));
    }
    onnx.expected = expect_ok(read_tensor_proto(folder + "output_0.pb"));
    cases.push_back(std::move(onnx));
  }
  return cases;
}

/// Both kernels give what onnx expects.
inline void expect_onnx_result(const OnnxCase& onnx, double tolerance) {
  ops::Serial serial;
  const auto expected = expect_ok(to_doubles(onnx.expected));
  for (const bool reference : {true, false}) {
    const auto found = expect_ok(run_kernel(onnx.test, reference, serial));
    ASSERT_EQ(found[0].shape(), onnx.expected.shape()) << onnx.test.name;
    const auto values = expect_ok(to_doubles(found[0]));
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], tolerance)
          << onnx.test.name << ", element " << i << (reference ? ", reference" : "");
  }
}

}  // namespace tarmac::test
