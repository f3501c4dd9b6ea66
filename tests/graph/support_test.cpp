#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

TEST(TestSupport, ReadsAModelFromText) {
  const Model add = model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[2] x, float[2] y) => (float[2] z) { z = Add(x, y) })");
  ASSERT_EQ(add.graph->nodes().size(), 1U);
  EXPECT_EQ(add.graph->nodes().front()->op_type, "Add");
  expect_same_model(add, clone_model(add), true);
}

TEST(TestSupport, ShowsTheWholeErrorOfAFailedResult) {
  expect_error(model_from_text("not a model"), ErrorCode::kInvalidModel, "ONNX text");
}

}  // namespace
}  // namespace tarmac::test
