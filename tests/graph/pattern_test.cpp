#include "graph/pattern.h"

#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

Model parse(const std::string& body, const std::string& inputs = "float[2] x, float[2] y",
            const std::string& outputs = "float[2] out") {
  return model("<ir_version: 8, opset_import: [\"\": 17]> g (" + inputs + ") => (" + outputs +
               ") <float[2] w = {1, 2}> {" + body + "}");
}

std::optional<Match> match_output(const Pattern& pattern, const Model& model) {
  return match(pattern, model.graph->outputs().front());
}

TEST(Pattern, BindsValuesAndNodesByName) {
  const Model model = parse("m = MatMul(x, w) out = Relu(m)");
  const auto found =
      match_output(op("Relu", {op("MatMul", {any("left"), constant("right")}, "product")}), model);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->values.at("left")->name(), "x");
  EXPECT_EQ(found->values.at("right")->name(), "w");
  EXPECT_EQ(found->values.at("product")->name(), "m");
  EXPECT_EQ(found->nodes.at("product")->op_type, "MatMul");
}

TEST(Pattern, DoesNotMatchOtherOperatorsDomainsOrArity) {
  const Model model = parse("out = Sub(x, y)");
  EXPECT_FALSE(match_output(op("Add", {any("a"), any("b")}), model));
  EXPECT_FALSE(match_output(op("Sub", {any("a"), any("b"), any("c")}), model));
  EXPECT_TRUE(match_output(op("Sub", {any("a")}), model)) << "missing trailing patterns match anything";
  EXPECT_FALSE(match(op("Sub", {}), model.graph->find("x"))) << "an input has no operator";
  EXPECT_FALSE(match(any("a"), nullptr));
}

TEST(Pattern, TriesBothOrdersOfCommutativeOperatorsOnly) {
  const Pattern add = op("Add", {any("value"), constant("c")});
  EXPECT_TRUE(match_output(add, parse("out = Add(x, w)")));
  EXPECT_TRUE(match_output(add, parse("out = Add(w, x)")));
  EXPECT_TRUE(match_output(op("Mul", {constant("c")}), parse("out = Mul(x, w)")));
  EXPECT_TRUE(match_output(op("Sub", {any("value"), constant("c")}), parse("out = Sub(x, w)")));
  EXPECT_FALSE(match_output(op("Sub", {any("value"), constant("c")}), parse("out = Sub(w, x)")));
}

TEST(Pattern, TheSameNameTwiceMustMeetTheSameValue) {
  const Pattern square = op("Mul", {any("a"), any("a")});
  EXPECT_TRUE(match_output(square, parse("out = Mul(x, x)")));
  EXPECT_FALSE(match_output(square, parse("out = Mul(x, y)")));
}

TEST(Pattern, GoesBackToAnInnerChoiceWhenALaterPartFails) {
  // The inner Add fits in its first order, and only the second lets `a` be the outer operand.
  const Pattern pattern = op("Mul", {op("Add", {any("a"), any("b")}), any("a")});
  const Model model = parse("s = Add(x, y) out = Mul(s, y)");
  const auto found = match_output(pattern, model);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->values.at("a")->name(), "y");
  EXPECT_EQ(found->values.at("b")->name(), "x");
}

TEST(Pattern, AFailedOrderLeavesNoBindings) {
  const Pattern pattern = op("Add", {op("Neg", {any("n")}, "neg"), op("Abs", {any("m")}, "abs")});
  const Model model = parse("p = Abs(x) q = Neg(y) out = Add(p, q)");
  const auto found = match_output(pattern, model);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->values.at("n")->name(), "y");
  EXPECT_EQ(found->values.at("m")->name(), "x");
  EXPECT_EQ(found->nodes.size(), 2U);
}

TEST(Pattern, AConstantIsAnInitializerNoInputCanReplaceOrAConstantNode) {
  const Pattern pattern = op("Add", {any("v"), constant("c")});
  EXPECT_TRUE(match_output(pattern, parse("k = Constant <value = float[2] {1, 2}> () out = Add(x, k)")));
  EXPECT_FALSE(match_output(pattern, parse("out = Add(x, w)", "float[2] x, float[2] w")));
  EXPECT_FALSE(match_output(pattern, parse("out = Add(x, y)")));
}

TEST(SoleOp, NeedsEveryReaderInsideTheMatch) {
  const Pattern pattern = op("Relu", {sole_op("Neg", {any("v")}, "neg")});
  EXPECT_TRUE(match_output(pattern, parse("n = Neg(x) out = Relu(n)")));
  EXPECT_FALSE(match_output(pattern, parse("n = Neg(x) out = Relu(n) other = Abs(n)")));
  EXPECT_FALSE(
      match_output(pattern, parse("n = Neg(x) out = Relu(n)", "float[2] x", "float[2] out, float[2] n")))
      << "a model output is read from outside";
}

TEST(SoleOp, MayBeReadTwiceByTheMatchItself) {
  const Pattern centred = sole_op("Sub", {any("v"), any("mean")}, "centred");
  const Pattern pattern = op("Div", {centred, op("Sqrt", {op("Mul", {centred, centred})})});
  EXPECT_TRUE(match_output(pattern, parse("d = Sub(x, y) q = Mul(d, d) r = Sqrt(q) out = Div(d, r)")));
  EXPECT_FALSE(
      match_output(pattern, parse("d = Sub(x, y) q = Mul(d, d) r = Sqrt(q) out = Div(d, r) e = Abs(d)")));
}

TEST(SoleOp, CountsTheOtherOutputsOfTheNodeToo) {
  const Pattern pattern = op("Relu", {sole_op("Split", {any("v")})});
  EXPECT_TRUE(match_output(pattern, parse("a, b = Split(x) out = Relu(a)", "float[2] x", "float[1] out")));
  EXPECT_FALSE(
      match_output(pattern, parse("a, b = Split(x) out = Relu(a) c = Neg(b)", "float[2] x", "float[1] out")));
  EXPECT_FALSE(match_output(pattern, parse("a, b = Split(x) out = Relu(b)", "float[2] x", "float[1] out")))
      << "a pattern is about the first output";
}

TEST(Where, AddsAConditionOnTheNode) {
  const auto axis_is = [](std::int64_t axis) {
    return [axis](const Node& node) { return node.attribute_or<std::int64_t>("axis", -1) == axis; };
  };
  const Model model = parse("out = Softmax <axis = 1> (x)");
  EXPECT_TRUE(match_output(where(op("Softmax", {any("v")}), axis_is(1)), model));
  EXPECT_FALSE(match_output(where(op("Softmax", {any("v")}), axis_is(0)), model));
  EXPECT_FALSE(match_output(where(where(op("Softmax", {any("v")}), axis_is(1)), axis_is(0)), model));
}

}  // namespace
}  // namespace tarmac::test
