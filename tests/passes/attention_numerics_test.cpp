// The engines compute the same before and after, on every form of attention that is fused.
#include <cmath>

#include "passes/attention_graphs.h"
#include "passes/pass_harness.h"
#include "targets/target.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

/// Numbers of both signs around 1; symbols get sizes that tell them apart.
Tensor input_for(const TensorInfo& info, std::uint32_t seed) {
  Shape shape;
  for (const Dim& dim : *info.type.shape) {
    const std::int64_t chosen = dim.symbol == "b" ? 2 : dim.symbol == "s" ? 6 : 9;
    shape.push_back(dim.size.value_or(chosen));
  }
  std::vector<double> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (double& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<double>(seed >> 8U) / (1U << 23U) - 1.0;
    if (info.type.dtype == DType::kBool) value = value > -0.4 ? 1.0 : 0.0;
  }
  return expect_ok(from_doubles(info.type.dtype, shape, values));
}

std::vector<double> outputs_of(Target& target, const Model& model) {
  const auto executable = expect_ok(target.compile(model, {}, no_progress()));
  const auto context = expect_ok(executable->create_context());
  std::uint32_t seed = 1;
  for (const TensorInfo& input : executable->inputs()) {
    expect_ok(context->set_input(input.name, input_for(input, seed)));
    seed += 77;
  }
  expect_ok(context->run());
  return expect_ok(to_doubles(expect_ok(context->output(executable->outputs().front().name))));
}

class Everything final : public OperatorSupport {
 public:
  [[nodiscard]] bool accepts(std::string_view, std::string_view, std::int64_t) const override { return true; }
};

void expect_same_numbers(const std::string& target_name, const std::string& pass, bool all_forms) {
  Target* target = expect_ok(find_target(target_name));
  if (auto status = target->available(); !status) GTEST_SKIP() << status.error().str();
  const Everything support;
  int fused = 0;
  for (const std::string& graph : attention_graphs()) {
    const Model original = model(opset23(graph));
    Model changed = model(opset23(graph));
    OptimizeOptions options;
    options.only = {pass, "infer_shapes"};
    options.support = &support;
    const OptimizeReport report = expect_ok(optimize(changed, options));
    if (report.changes.empty()) {
      EXPECT_FALSE(all_forms) << graph;
      continue;
    }
    ++fused;
    const auto before = outputs_of(*target, original);
    const auto after = outputs_of(*target, changed);
    ASSERT_EQ(before.size(), after.size()) << graph;
    // OpenVINO may choose a narrower type for products; the scores here are of the size of 10.
    const double tolerance = target_name == "openvino" ? 3e-2 : 1e-5;
    for (std::size_t i = 0; i < before.size(); ++i)
      ASSERT_NEAR(before[i], after[i], tolerance) << graph << "element " << i;
  }
  EXPECT_GT(fused, 0);
}

TEST(AttentionNumerics, OnnxRuntimeGivesTheSameForTheStandardOperator) {
  expect_same_numbers("onnxruntime", "fuse_attention", true);
}

TEST(AttentionNumerics, OpenVinoGivesTheSameForTheStandardOperator) {
  expect_same_numbers("openvino", "fuse_attention", true);
}

TEST(AttentionNumerics, OnnxRuntimeGivesTheSameForItsOwnOperator) {
  expect_same_numbers("onnxruntime", "fuse_multi_head_attention", false);
}

}  // namespace
}  // namespace tarmac::test
