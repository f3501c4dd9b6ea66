// 16-bit variants of a deployment: what must stay float32 does, whatever the operators around it.
#include "deploy/float_variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/optimize_model.h"
#include "graph/model_io.h"
#include "support/expect.h"

namespace tarmac::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

const std::vector<Target*>& targets() {
  static const std::vector<Target*> openvino = {*find_target("openvino")};
  return openvino;
}

/// A model of tests/passes/data, with its driving operators lifted.
Model lifted(const std::string& name) {
  Model model = expect_ok(load_model(std::filesystem::path(TARMAC_SOURCE_DIR) / "tests/passes/data" / name));
  (void)expect_ok(optimize_model(model, {}, targets(), no_progress()));
  return model;
}

const Node* find_attention(const Model& model) {
  const Node* found = nullptr;
  for_each_node(*model.graph, [&](const Node& node) {
    if (node.op_type == "MultiScaleDeformableAttention") found = &node;
  });
  return found;
}

class FloatVariants : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!targets().front()->available()) GTEST_SKIP() << "openvino is not built in";
  }
};

TEST_P(FloatVariants, SampleInFloat32AndCarryFloat32) {
  const Model model = lifted(GetParam());
  ASSERT_NE(find_attention(model), nullptr);
  Contract contract;
  contract.precision.also = {DType::kFloat16};
  report::DeployReport report;
  const auto variants = expect_ok(make_float_variants(contract, model, {}, targets(), report, no_progress()));
  ASSERT_EQ(variants.size(), 1U);
  EXPECT_EQ(variants[0].name, "fp16");
  const Model& half = variants[0].model;
  const Node* const attention = find_attention(half);
  ASSERT_NE(attention, nullptr) << "the operator was not put back";
  EXPECT_EQ(attention->input(0)->type.dtype, DType::kFloat16) << "the features";
  for (const std::size_t i : {3U, 4U, 5U}) {  // offsets, weights and reference points
    if (attention->input(i) == nullptr) continue;
    EXPECT_EQ(attention->input(i)->type.dtype, DType::kFloat32) << i;
  }
  for (const auto& values : {half.graph->inputs(), half.graph->outputs()}) {
    for (const Value* value : values) EXPECT_NE(value->type.dtype, DType::kFloat16) << value->name();
  }
  std::vector<std::string> reasons;
  for (const report::NodePrecision& row : report.precision) {
    EXPECT_EQ(row.variant, "fp16");
    reasons.push_back(row.reason);
  }
  EXPECT_THAT(reasons, Contains(HasSubstr("sampling coordinates")));
  EXPECT_THAT(report.notes, Contains(HasSubstr("fp16: ")));
}

INSTANTIATE_TEST_SUITE_P(BevFormer, FloatVariants,
                         testing::Values("bevformer_spatial.onnx", "bevformer_temporal.onnx"));

TEST(FloatVariant, ThatTheModelsOpsetLacksIsANote) {
  if (!targets().front()->available()) GTEST_SKIP() << "openvino is not built in";
  const Model old = expect_ok(model_from_text(R"(<ir_version: 7, opset_import: ["" : 11]>
    g (float[1, 4] x) => (float[1, 4] y) { y = Relu (x) })"));
  Contract contract;
  contract.precision.also = {DType::kBFloat16};
  report::DeployReport report;
  EXPECT_TRUE(expect_ok(make_float_variants(contract, old, {}, targets(), report, no_progress())).empty());
  EXPECT_THAT(report.notes, testing::ElementsAre(HasSubstr("no bf16 model: bfloat16 needs opset 13")));
}

}  // namespace
}  // namespace tarmac::test
