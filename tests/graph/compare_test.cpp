// structural_difference() finds each kind of difference, and none where there is none.
#include <limits>

#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

constexpr const char* kBase = R"(<ir_version: 8, opset_import: ["": 17]>
  g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
    [first] a = LeakyRelu <alpha = 0.5> (x)
    b = Add(a, w)
    y = If (c) <then_branch = t () => (float[2] t_out) { t_out = Neg(b) },
                else_branch = e () => (float[2] e_out) { e_out = Abs(b) }> })";

/// The base model with one piece of its text exchanged.
Model changed(const std::string& from, const std::string& to) {
  std::string text = kBase;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return model(text.replace(at, from.size(), to));
}

std::string difference_after(const std::string& from, const std::string& to, bool names = false) {
  const Model base = model(kBase);
  const Model other = changed(from, to);
  const std::string forth = structural_difference(base, other, {.names = names});
  const std::string back = structural_difference(other, base, {.names = names});
  EXPECT_EQ(forth.empty(), back.empty()) << forth << " against " << back;
  return forth;
}

TEST(StructuralDifference, IsEmptyForEqualModels) {
  EXPECT_EQ(structural_difference(model(kBase), model(kBase), {.names = true}), "");
}

TEST(StructuralDifference, IgnoresInnerNamesUnlessAsked) {
  EXPECT_EQ(difference_after("[first]", "[other]"), "");
  EXPECT_THAT(difference_after("[first]", "[other]", true), testing::HasSubstr("named 'other'"));
  EXPECT_EQ(difference_after("e_out) { e_out", "e2) { e2"), "");
  EXPECT_NE(difference_after("e_out) { e_out", "e2) { e2", true), "");
}

TEST(StructuralDifference, IgnoresTheOrderOfIndependentNodes) {
  const auto two = [](const std::string& nodes) {
    return model("<ir_version: 8, opset_import: [\"\": 17]> g (float[2] x) => (float[2] y) {" + nodes +
                 " y = Add(a, b) }");
  };
  EXPECT_EQ(
      structural_difference(two("a = Neg(x) b = Abs(x)"), two("b = Abs(x) a = Neg(x)"), {.names = true}), "");
}

TEST(StructuralDifference, FindsEachKindOfDifference) {
  EXPECT_THAT(difference_after("\"\": 17", "\"\": 16"), testing::HasSubstr("operator set"));
  EXPECT_THAT(difference_after("float[2] x", "float[3] x"),
              testing::HasSubstr("input 'x' is float32[2] against float32[3]"));
  EXPECT_THAT(difference_after("=> (float[2] y)", "=> (float[N] y)"), testing::HasSubstr("output 'y'"));
  EXPECT_THAT(difference_after("bool c, float[2] x", "bool c, float[2] x, float[1] z"),
              testing::HasSubstr("inputs: 2 against 3"));
  EXPECT_THAT(difference_after("=> (float[2] y)", "=> (float[2] y, float[2] a)"),
              testing::HasSubstr("outputs: 1 against 2"));
  EXPECT_THAT(difference_after("alpha = 0.5", "alpha = 0.25"), testing::HasSubstr("attribute 'alpha'"));
  EXPECT_THAT(difference_after(" <alpha = 0.5>", ""), testing::HasSubstr("on one side only"));
  EXPECT_THAT(difference_after("Add(a, w)", "Add(w, a)"), testing::Not(testing::IsEmpty()));
  EXPECT_THAT(difference_after("Add(a, w)", "Mul(a, w)"), testing::HasSubstr("Add against .Mul"));
  EXPECT_THAT(difference_after("{1, 2}", "{1, 3}"), testing::HasSubstr("initializer 'w' has other values"));
  EXPECT_THAT(difference_after("Neg(b)", "Neg(a)"), testing::Not(testing::IsEmpty()));
  EXPECT_THAT(difference_after("Neg(b)", "Exp(b)"), testing::HasSubstr("attribute 'then_branch'"));
  EXPECT_THAT(difference_after("b = Add(a, w)", "b = Add(a, w) dead = Neg(b)"),
              testing::HasSubstr("nodes: 3 against 4"));
  EXPECT_THAT(difference_after("bool c, float[2] x", "bool c, float[2] x2, float[2] x"),
              testing::HasSubstr("inputs"));
}

TEST(StructuralDifference, FindsAnInputThatHasADefaultOnOneSideOnly) {
  EXPECT_THAT(difference_after("bool c, float[2] x)", "bool c, float[2] x = {1, 2})"),
              testing::HasSubstr("on one side only"));
}

TEST(StructuralDifference, FindsTwoValuesThatAreOneOnTheOtherSide) {
  const auto sum = [](const std::string& nodes) {
    return model("<ir_version: 8, opset_import: [\"\": 17]> g (float[2] x) => (float[2] y) {" + nodes + "}");
  };
  const Model two = sum("a = Neg(x) b = Neg(x) y = Add(a, b)");
  const Model one = sum("a = Neg(x) b = Neg(x) y = Add(a, a)");
  EXPECT_NE(structural_difference(two, one), "");
  EXPECT_NE(structural_difference(one, two), "");
}

TEST(StructuralDifference, ComparesFloatAttributesByBits) {
  const Model base = model(kBase);
  const auto with_alpha = [&](float alpha) {
    Model copy = clone_model(base);
    copy.graph->nodes().front()->attributes["alpha"] = alpha;
    return copy;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(structural_difference(with_alpha(nan), with_alpha(nan)), "");
  EXPECT_NE(structural_difference(with_alpha(0.0F), with_alpha(-0.0F)), "");
}

TEST(StructuralDifference, LooksIntoLocalFunctions) {
  const auto with_function = [](const std::string& header, const std::string& body) {
    return model(
        R"(<ir_version: 8, opset_import: ["": 17, "f": 1]> g (float[2] x) => (float[2] y) { y = f.twice (x) }
        <domain: "f", opset_import: ["": 17]> )" +
        header + " {" + body + "}");
  };
  const Model base = with_function("twice (a) => (b)", "b = Add(a, a)");
  EXPECT_EQ(structural_difference(base, with_function("twice (a) => (b)", "b = Add(a, a)")), "");
  EXPECT_THAT(structural_difference(base, with_function("twice (a) => (b)", "b = Mul(a, a)")),
              testing::HasSubstr("function 'twice'"));
  EXPECT_THAT(structural_difference(base, with_function("twice <k> (a) => (b)", "b = Add(a, a)")),
              testing::HasSubstr("signatures differ"));
}

TEST(ModelDigest, DependsOnEveryWeightAndOnNothingElseThanTheModel) {
  const std::string base = expect_ok(model_digest(model(kBase)));
  EXPECT_EQ(base.size(), 64U);
  EXPECT_EQ(base, expect_ok(model_digest(clone_model(model(kBase)))));
  EXPECT_NE(base, expect_ok(model_digest(changed("{1, 2}", "{1, 3}"))));
}

}  // namespace
}  // namespace tarmac::test
