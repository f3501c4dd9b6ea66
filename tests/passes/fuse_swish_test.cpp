#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class FuseSwish : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_swish";
};

class FuseHardSwish : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_hard_swish";
};

std::string around(int version, const std::string& nodes, const std::string& outputs = "float[b,4] y") {
  return opset(version,
               "g (float[b,4] x) => (" + outputs +
                   ")\n <float quick = {1.702}, float zero = {0}, "
                   "float three = {3}, float five = {5}, float six = {6}, float sixth = {0.16666667}, "
                   "float half = {0.5}, float one = {1}> {\n " +
                   nodes + "\n}");
}

TEST_F(FuseSwish, TakesSigmoidTimesItsInput) {
  const std::string after = opset(24, "g (float[b,4] x) => (float[b,4] y) { y = Swish <alpha = 1.0> (x) }");
  expect_fused(kPass, around(24, "s = Sigmoid (x)\n y = Mul (x, s)"), after);
  expect_fused(kPass, around(24, "s = Sigmoid (x)\n y = Mul (s, x)"), after);
}

TEST_F(FuseSwish, TakesAFactorInside) {
  const std::string before = "a = Mul (quick, x)\n s = Sigmoid (a)\n y = Mul (x, s)";
  expect_fused(kPass, around(24, before),
               opset(24, "g (float[b,4] x) => (float[b,4] y) { y = Swish <alpha = 1.702> (x) }"));
  const Runs vendor = {"com.microsoft:QuickGelu"};
  expect_fused(kPass, around(17, before), vendor_opset(17, R"(g (float[b,4] x) => (float[b,4] y) {
    y = com.microsoft.QuickGelu <alpha = 1.702> (x)
  })"),
               &vendor);
}

TEST_F(FuseSwish, LeavesOtherGates) {
  expect_left(kPass, around(24, "a = Neg (x)\n s = Sigmoid (a)\n y = Mul (x, s)"));
  expect_left(kPass, around(24, "a = Add (x, one)\n s = Sigmoid (a)\n y = Mul (x, s)"));
  expect_left(kPass, around(24, "s = Sigmoid (x)\n y = Add (x, s)"));
  expect_left(kPass, around(24, "s = Sigmoid (x)\n y = Mul (x, s)", "float[b,4] y, float[b,4] s"));
  // In opset 22 there is no Swish, and without support it stays so.
  expect_left(kPass, around(22, "s = Sigmoid (x)\n y = Mul (x, s)"));
}

constexpr const char* kHardSwish = "g (float[b,4] x) => (float[b,4] y) { y = HardSwish (x) }";

TEST_F(FuseHardSwish, TakesHardSigmoidTimesItsInput) {
  expect_fused(kPass, around(14, "h = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)\n y = Mul (x, h)"),
               opset(14, kHardSwish));
}

TEST_F(FuseHardSwish, TakesRelu6InEveryOrder) {
  for (const char* relu6 :
       {"r = Clip (a, zero, six)", "u = Relu (a)\n r = Clip (u, , six)", "u = Relu (a)\n r = Min (u, six)",
        "u = Min (six, a)\n r = Max (zero, u)", "u = Clip (a, , six)\n r = Relu (u)"}) {
    for (const char* product : {"m = Mul (x, r)\n y = Div (m, six)", "m = Mul (r, x)\n y = Mul (sixth, m)",
                                "m = Div (r, six)\n y = Mul (x, m)", "m = Mul (sixth, r)\n y = Mul (m, x)",
                                "m = Div (x, six)\n y = Mul (m, r)", "m = Mul (x, sixth)\n y = Mul (r, m)"}) {
      expect_fused(kPass, around(14, std::string("a = Add (x, three)\n ") + relu6 + "\n " + product),
                   opset(14, kHardSwish));
    }
  }
}

TEST_F(FuseHardSwish, TakesTheDivisionInsideTheClip) {
  expect_fused(kPass,
               around(14, "a = Add (x, three)\n d = Div (a, six)\n r = Clip (d, zero, one)\n y = Mul (x, r)"),
               opset(14, kHardSwish));
}

TEST_F(FuseHardSwish, TakesHardSigmoidAlone) {
  const auto after = [](const char* alpha) {
    return opset(13, std::string("g (float[b,4] x) => (float[b,4] y) { y = HardSigmoid <alpha = ") + alpha +
                         ", beta = 0.5> (x) }");
  };
  expect_fused(kPass, around(13, "a = Add (three, x)\n r = Clip (a, zero, six)\n y = Div (r, six)"),
               after("0.16666667"));
  expect_fused(kPass, around(13, "a = Add (three, x)\n m = Mul (sixth, a)\n y = Clip (m, zero, one)"),
               after("0.16666667"));
  expect_fused(kPass, around(13, "m = Mul (x, sixth)\n a = Add (m, half)\n y = Clip (a, zero, one)"),
               after("0.16666667"));
}

TEST_F(FuseHardSwish, ReadsTheAttributesOfOlderClips) {
  expect_fused(kPass, opset(10, R"(g (float[b,4] x) => (float[b,4] y) <float three = {3}, float six = {6}> {
    a = Add (x, three)
    r = Clip <min = 0.0, max = 6.0> (a)
    y = Div (r, six)
  })"),
               opset(10, R"(g (float[b,4] x) => (float[b,4] y) {
    y = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)
  })"));
}

TEST_F(FuseHardSwish, WaitsForTheOpset) {
  const Runs support = {"HardSwish"};
  expect_left(kPass,
              around(13, "a = Add (x, three)\n r = Clip (a, zero, six)\n m = Mul (x, r)\n y = Div (m, six)"),
              &support);
}

TEST_F(FuseHardSwish, LeavesOtherRamps) {
  for (const char* nodes :
       {"a = Add (x, three)\n r = Clip (a, zero, five)\n m = Mul (x, r)\n y = Div (m, six)",
        "a = Add (x, five)\n r = Clip (a, zero, six)\n m = Mul (x, r)\n y = Div (m, six)",
        "a = Add (x, three)\n r = Clip (a, one, six)\n m = Mul (x, r)\n y = Div (m, six)",
        "a = Add (x, three)\n r = Clip (a, zero)\n m = Mul (x, r)\n y = Div (m, six)",
        "a = Add (x, three)\n r = Clip (a, zero, six)\n n = Neg (x)\n m = Mul (n, r)\n y = Div (m, six)",
        "a = Add (x, three)\n r = Clip (a, zero, six)\n m = Mul (x, r)\n y = Div (m, five)",
        "h = HardSigmoid (x)\n y = Mul (x, h)", "y = Clip (x, zero, one)",
        "a = Mul (x, sixth)\n y = Clip (a, zero, one)"})
    expect_left(kPass, around(14, nodes));
  expect_left(kPass,
              around(14, "a = Add (x, three)\n r = Clip (a, zero, six)\n m = Mul (x, r)\n y = Div (m, six)",
                     "float[b,4] y, float[b,4] r"));
}

TEST_F(FuseHardSwish, LeavesBFloat16BeforeOpset22) {
  const std::string graph =
      R"(g (bfloat16[b,4] x) => (bfloat16[b,4] y) <bfloat16 three = {16448}, bfloat16 six = {16576}> {
    a = Add (x, three)
    u = Relu (a)
    r = Min (u, six)
    y = Div (r, six)
  })";
  expect_left(kPass, opset(14, graph));
  Model found = model(opset(22, graph));
  EXPECT_EQ(apply(found, kPass, nullptr).changes.size(), 1U);
}

}  // namespace
}  // namespace tarmac::test
