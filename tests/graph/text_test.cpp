// The text form reads back as the same model, wherever ONNX's own parser has words for what is in it.
#include "support/cases.h"
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

constexpr std::size_t kAllElements = 4096;

TEST(Text, OfAllGeneratedCasesReadsBackAsTheSameModel) {
  std::size_t same = 0;
  std::size_t total = 0;
  for (const char* kind : {"node", "simple", "pytorch-operator"}) {
    for (const auto& file : case_models(kind)) {
      SCOPED_TRACE(file);
      ++total;
      const Model loaded = expect_ok(load_model(file));
      const auto again = model_from_text(model_to_text(loaded, kAllElements));
      if (!again) {
        ADD_FAILURE() << again.error().str();
        continue;
      }
      EXPECT_EQ(structural_difference(loaded, *again, {.names = true}), "");
      ++same;
    }
  }
  if (total == 0) GTEST_SKIP() << kNoCases;
  std::cout << same << " of " << total << " models read back from text\n";
}

void expect_text_round_trip(const Model& model) {
  const std::string text = model_to_text(model, kAllElements);
  SCOPED_TRACE(text);
  expect_same_model(test::model(text), model, true);
}

TEST(Text, QuotesNamesThatAreNoIdentifiers) {
  for (const char* name : {"layer/conv.1:0", "0", "float", "int64", "a \"b\" \\c", "\u00fc"}) {
    const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
        g (float[N] x) => (float[N] y) { a = Neg(x) y = Relu(a) })");
    model.graph->rename(*model.graph->find("a"), name);
    model.graph->rename(*model.graph->find("x"), std::string(name) + "_in");
    model.graph->nodes().front()->name = name;
    model.graph->name = name;
    expect_text_round_trip(model);
  }
}

TEST(Text, KeepsEveryKindOfAttributeAndType) {
  expect_text_round_trip(test::model(R"(<ir_version: 8, opset_import: ["": 17, "my.ops": 1]>
      g (float[N, 2] x, seq(float[]) s, optional(seq(int64[2])) o, float16[] h, bool b) => (float[] y) {
        y = my.ops.All <i = 7, f = -1.5, nan = nan, inf = -inf, text = "a\"b", t = float[2] {1.5, -2},
                        is: ints = [1, -2], none: ints = [], fs: floats = [1.0, 2.5],
                        ss: strings = ["a", "b"], type: type_proto = seq(float[N])> (x, s, o, h, b)
      })"));
}

TEST(Text, ShowsShortFloatsAsNumbers) {
  // ONNX's parser takes the bits instead: 15360 is 1.0 in float16.
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float16[1] x) => (float16[1] y) { w = Constant <value = float16[1] {15360}> () y = Add(x, w) })");
  EXPECT_THAT(model_to_text(model), testing::HasSubstr("float16[1] {1.0}"));
}

TEST(Text, KeepsLeftOutInputsAndOutputs) {
  expect_text_round_trip(test::model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[N, 1, 1] x, float[1, 4, 1] w, float max) => (float[N] y) {
        c = Clip(x, "", max)
        "", y = LSTM <hidden_size = 1> (c, w, w)
      })"));
}

TEST(Text, KeepsFunctionsWithTheirDefaultsAndOverloads) {
  expect_text_round_trip(test::model(R"(<ir_version: 10, opset_import: ["": 17, "f": 1]>
      g (float[N] x) => (float[N] y) { a = f.scale <by = 3.0> (x) y = f.scale:other (a) }
      <domain: "f", opset_import: ["": 17]>
      scale <by, unused: float = 2.5> (v) => (r) { k = Constant <value_float: float = @by> () r = Mul(v, k) }
      <domain: "f", overload: "other", opset_import: ["": 17]>
      scale (v) => (r) { r = Neg(v) })"));
}

TEST(Text, ShowsLargeTensorsByTypeOnly) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[N] x) => (float[N] y) <float[3] w = {1, 2, 3}> { y = Add(x, w) })");
  EXPECT_THAT(model_to_text(model, 3), testing::HasSubstr("float[3] w = {1.0, 2.0, 3.0}"));
  EXPECT_THAT(model_to_text(model, 2), testing::HasSubstr("float[3] w = {...}"));
}

}  // namespace
}  // namespace tarmac::test
