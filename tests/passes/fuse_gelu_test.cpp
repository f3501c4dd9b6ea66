#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class FuseGelu : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_gelu";
};

std::string around(const std::string& nodes, const std::string& outputs = "float[b,4] y", int version = 20) {
  return opset(version, "g (float[b,4] x) => (" + outputs +
                            ")\n <float half = {0.5}, float one = {1}, "
                            "float two = {2}, float three = {3}, float root = {1.4142135}, float inverse = "
                            "{0.70710678}, float k = {0.7978845608}, float c = {0.044715}, float[4] bias = "
                            "{1,-1,2,0}> {\n " +
                            nodes + "\n}");
}

std::string fused(const std::string& how) {
  return opset(20, "g (float[b,4] x) => (float[b,4] y) { y = Gelu <approximate = \"" + how + "\"> (x) }");
}

TEST_F(FuseGelu, TakesErfInEveryOrder) {
  for (const char* nodes : {
           "s = Div (x, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, half)",
           "s = Mul (x, inverse)\n e = Erf (s)\n p = Add (one, e)\n m = Mul (half, x)\n y = Mul (m, p)",
           "s = Mul (inverse, x)\n e = Erf (s)\n p = Add (one, e)\n m = Mul (p, half)\n y = Mul (x, m)",
           "s = Mul (inverse, x)\n e = Erf (s)\n p = Add (one, e)\n m = Mul (p, x)\n y = Div (m, two)",
           "s = Mul (inverse, x)\n e = Erf (s)\n h = Mul (e, half)\n p = Add (h, half)\n y = Mul (x, p)",
       })
    expect_fused(kPass, around(nodes), fused("none"));
}

TEST_F(FuseGelu, TakesTanhInEveryOrder) {
  for (const char* nodes : {
           "q = Mul (x, x)\n u = Mul (x, q)\n w = Mul (c, u)\n a = Add (x, w)\n s = Mul (k, a)\n t = Tanh "
           "(s)\n"
           " p = Add (one, t)\n m = Mul (x, p)\n y = Mul (half, m)",
           "m = Mul (x, half)\n u = Pow (x, three)\n w = Mul (u, c)\n a = Add (w, x)\n s = Mul (a, k)\n"
           " t = Tanh (s)\n p = Add (t, one)\n y = Mul (m, p)",
           "m = Mul (x, half)\n kx = Mul (x, k)\n cx = Mul (x, c)\n w = Mul (cx, x)\n a = Add (w, one)\n"
           " s = Mul (kx, a)\n t = Tanh (s)\n p = Add (t, one)\n y = Mul (m, p)",
       })
    expect_fused(kPass, around(nodes), fused("tanh"));
}

TEST_F(FuseGelu, TakesTheRoundedConstantsOfFloat16) {
  expect_fused(
      kPass,
      opset(20, "g (float16[b,4] x) => (float16[b,4] y) <float16 half = " + halves({0.5}) +
                    ", float16 one = " + halves({1}) + ", float16 root = " + halves({1.4142135F}) + R"(> {
    s = Div (x, root)
    e = Erf (s)
    p = Add (e, one)
    m = Mul (x, p)
    y = Mul (m, half)
  })"),
      opset(20, "g (float16[b,4] x) => (float16[b,4] y) { y = Gelu <approximate = \"none\"> (x) }"), nullptr,
      0.005);
}

TEST_F(FuseGelu, TakesAnInputThatIsAProduct) {
  expect_fused(
      kPass,
      around("z = Mul (x, three)\n s = Div (z, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (z, p)\n"
             " y = Mul (m, half)"),
      opset(20, R"(g (float[b,4] x) => (float[b,4] y) <float three = {3}> {
      z = Mul (x, three)
      y = Gelu <approximate = "none"> (z)
    })"));
}

TEST_F(FuseGelu, LeavesOtherFormulas) {
  for (const char* nodes : {
           "s = Div (x, two)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, half)",
           "s = Div (x, root)\n e = Erf (s)\n p = Add (e, half)\n m = Mul (x, p)\n y = Mul (m, half)",
           "s = Div (x, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, two)",
           "s = Div (x, root)\n e = Erf (s)\n p = Sub (e, one)\n m = Mul (x, p)\n y = Mul (m, half)",
           "z = Neg (x)\n s = Div (z, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, "
           "half)",
           "s = Div (x, root)\n e = Erf (s)\n p = Add (e, one)\n y = Mul (p, half)",
           "u = Mul (x, x)\n w = Mul (c, u)\n a = Add (x, w)\n s = Mul (k, a)\n t = Tanh (s)\n p = Add (one, "
           "t)\n"
           " m = Mul (x, p)\n y = Mul (half, m)",
       })
    expect_left(kPass, around(nodes));
}

TEST_F(FuseGelu, LeavesInnerValuesThatOthersRead) {
  expect_left(
      kPass, around("s = Div (x, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, half)",
                    "float[b,4] y, float[b,4] e"));
}

TEST_F(FuseGelu, LeavesConstantsThatAddAxes) {
  expect_left(kPass, opset(20, R"(g (float[4] x) => (float[1,1,4] y)
    <float[1,1,1] half = {0.5}, float one = {1}, float root = {1.4142135}> {
    s = Div (x, root)
    e = Erf (s)
    p = Add (e, one)
    m = Mul (x, p)
    y = Mul (m, half)
  })"));
}

TEST_F(FuseGelu, LeavesDoubles) {
  expect_left(kPass, opset(20, R"(g (double[b,4] x) => (double[b,4] y)
    <double half = {0.5}, double one = {1}, double root = {1.4142135623730951}> {
    s = Div (x, root)
    e = Erf (s)
    p = Add (e, one)
    m = Mul (x, p)
    y = Mul (m, half)
  })"));
}

TEST_F(FuseGelu, FoldsABiasForOnnxRuntime) {
  const Runs support = {"Gelu", "com.microsoft:BiasGelu", "com.microsoft:FastGelu"};
  const std::string after = R"(g (float[b,4] x) => (float[b,4] y) <float[4] bias = {1,-1,2,0}> {
    y = com.microsoft.BiasGelu (x, bias)
  })";
  expect_fused(
      kPass,
      around("z = Add (bias, x)\n s = Div (z, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (z, p)\n"
             " y = Mul (m, half)"),
      vendor_opset(20, after), &support);
  expect_fused(kPass, around("z = Add (x, bias)\n y = Gelu (z)"), vendor_opset(20, after), &support);
  expect_fused(kPass, around("z = Add (x, bias)\n y = Gelu <approximate = \"tanh\"> (z)"),
               vendor_opset(20, R"(g (float[b,4] x) => (float[b,4] y) <float[4] bias = {1,-1,2,0}> {
    y = com.microsoft.FastGelu (x, bias)
  })"),
               &support);
  // Only a vector along the last axis that all of the sum goes into.
  expect_left(kPass, around("z = Add (x, half)\n y = Gelu (z)"), &support);
  expect_left(kPass, around("z = Add (x, bias)\n y = Gelu (z)", "float[b,4] y, float[b,4] z"), &support);
}

TEST_F(FuseGelu, UsesTheVendorsOperatorWhereTheStandardOneDoesNotRun) {
  const std::string before =
      "s = Div (x, root)\n e = Erf (s)\n p = Add (e, one)\n m = Mul (x, p)\n y = Mul (m, half)";
  const Runs vendor = {"com.microsoft:Gelu"};
  expect_fused(kPass, around(before, "float[b,4] y", 13),
               vendor_opset(13, "g (float[b,4] x) => (float[b,4] y) { y = com.microsoft.Gelu (x) }"),
               &vendor);
  // Where it would after an upgrade, the pass waits.
  const Runs both = {"Gelu", "com.microsoft:Gelu"};
  expect_left(kPass, around(before, "float[b,4] y", 13), &both);
}

}  // namespace
}  // namespace tarmac::test
