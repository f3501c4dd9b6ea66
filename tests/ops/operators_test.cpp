// What holds for every driving operator: its row is sound, and onnx's checker and inference know it.
#include <onnx/defs/schema.h>

#include <cstdlib>

#include "base/file.h"
#include "graph/model_io.h"
#include "ops/describe.h"
#include "ops/registry.h"
#include "passes/infer_shapes.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using ops::Operator;

Model parse(const std::string& text) { return test::expect_ok(model_from_text(text)); }

const Type& type_of(const Model& model, const char* name) { return model.graph->find(name)->type; }

TEST(DrivingOperators, AreSortedByNameAndSayWhatTheyAre) {
  std::string last;
  for (const Operator* op : ops::all_operators()) {
    EXPECT_LT(last, op->name);
    last = op->name;
    EXPECT_GT(std::string(op->doc).size(), 60U) << op->name << ": formula and source";
    EXPECT_FALSE(op->outputs.empty()) << op->name;
    EXPECT_TRUE(op->infer != nullptr && op->reference != nullptr && op->cpu != nullptr) << op->name;
    for (const auto& operand : op->inputs)
      EXPECT_FALSE(operand.dtypes.empty()) << op->name << "." << operand.name;
  }
}

TEST(DrivingOperators, AreKnownToOnnxAfterRegistration) {
  ops::register_schemas();
  ops::register_schemas();
  for (const Operator* op : ops::all_operators()) {
    const auto* schema =
        onnx::OpSchemaRegistry::Schema(op->name, static_cast<int>(op->version), ops::kDomain);
    ASSERT_NE(schema, nullptr) << op->name;
    EXPECT_EQ(schema->inputs().size(), op->inputs.size());
    EXPECT_EQ(schema->attributes().size(), op->attributes.size());
  }
}

TEST(DrivingOperators, AreFoundByDomainNameAndVersion) {
  EXPECT_NE(ops::find_operator("tarmac", "PillarScatter"), nullptr);
  EXPECT_EQ(ops::find_operator("tarmac", "PillarScatter", 0), nullptr);
  EXPECT_EQ(ops::find_operator("", "PillarScatter"), nullptr);
  EXPECT_EQ(ops::find_operator("tarmac", "Relu"), nullptr);
}

TEST(DrivingOperators, AreWhatTheirPageSays) {
  const std::string path = std::string(TARMAC_SOURCE_DIR) + "/docs/operators.md";
  const std::string text = ops::operators_markdown();
  if (std::getenv("TARMAC_WRITE_DOCS") != nullptr) test::expect_ok(write_file(path, text));
  EXPECT_TRUE(test::expect_ok(read_file(path, 1U << 20U)) == text)
      << "docs/operators.md is old: run this test once with TARMAC_WRITE_DOCS=1";
}

constexpr const char* kScatter = R"(<ir_version: 10, opset_import: ["" : 20, "tarmac" : 1]>
g (float[V, 64] features, int64[V, 4] coordinates) => (float[B, C, H, W] y) {
  map = tarmac.PillarScatter <height = 496, width = 432> (features, coordinates)
  y = Relu (map)
})";

TEST(DrivingOperators, GiveTheirTypesToInference) {
  Model model = parse(kScatter);
  test::expect_ok(infer_shapes(model));
  EXPECT_EQ(to_string(type_of(model, "map")), "float32[1, 64, 496, 432]");
}

TEST(DrivingOperators, NameWhatIsWrongWithTheirAttributes) {
  const Operator& op = *ops::find_operator("tarmac", "PillarScatter");
  test::expect_error(ops::complete_attributes(op, {{"height", std::int64_t{4}}}), ErrorCode::kInvalidModel,
                     "needs the attribute 'width'");
  test::expect_error(ops::complete_attributes(op, {{"height", 4.0F}, {"width", std::int64_t{4}}}),
                     ErrorCode::kInvalidModel, "'height' is a float, expected an integer");
  test::expect_error(
      ops::complete_attributes(
          op, {{"height", std::int64_t{4}}, {"width", std::int64_t{4}}, {"depth", std::int64_t{4}}}),
      ErrorCode::kInvalidModel, "no attribute 'depth'");
}

TEST(DrivingOperators, ShowWhatOpenvinoConvertsForThem) {
  Target* target = test::expect_ok(find_target("openvino"));
  if (!target->available()) GTEST_SKIP() << "OpenVINO is not here";
  CompileOptions options;
  options.profile = true;
  const auto executable =
      test::expect_ok(target->compile(parse(R"(<ir_version: 10, opset_import: ["" : 20, "tarmac" : 1]>
g (float[6, 4] x, int64[6, 4] coordinates) => (float[1, 4, 8, 8] y) {
  whole = Cast <to = 6> (x)
  features = Cast <to = 1> (whole)
  y = tarmac.PillarScatter <height = 8, width = 8> (features, coordinates)
})"),
                                      options, no_progress()));
  const auto context = test::expect_ok(executable->create_context());
  test::expect_ok(context->set_input("x", test::random_tensor(DType::kFloat32, {6, 4}, -9, 9, 1)));
  test::expect_ok(context->set_input("coordinates", test::random_integers(DType::kInt64, {6, 4}, 0, 7, 2)));
  test::expect_ok(context->run());
  int reorders = 0;
  for (const NodeTime& time : test::expect_ok(context->profile())) {
    reorders += time.reorder ? 1 : 0;
    EXPECT_FALSE(time.reorder && time.op_type.starts_with("Cast")) << time.node << ", " << time.kernel;
  }
  EXPECT_EQ(reorders, 1) << "int64 coordinates become int32";
}

TEST(DrivingOperators, RunInsideEveryEngineAsOnTheirOwn) {
  test::expect_agreement(
      {.name = "scatter",
       .op = *ops::find_operator("tarmac", "PillarScatter"),
       .attributes = {{"batch", std::int64_t{2}}, {"height", std::int64_t{5}}, {"width", std::int64_t{7}}},
       .inputs = {test::random_tensor(DType::kFloat32, {9, 3}, -1, 1, 1),
                  test::random_integers(DType::kInt64, {9, 4}, -1, 7, 2), Tensor()}});
}

}  // namespace
}  // namespace tarmac
