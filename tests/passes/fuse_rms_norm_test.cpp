#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class FuseRmsNorm : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_rms_norm";
};

std::string decomposed(const std::string& square, const std::string& root, const std::string& axes = "-1",
                       const std::string& outputs = "float[b,4] y") {
  return opset(23, "g (float[b,4] x) => (" + outputs +
                       ")\n <float two = {2}, float one = {1}, float h = {-0.5}, "
                       "float e = {0.001}, int64[1] axes = {" +
                       axes + "}, float[4] g = {1,2,3,4}> {\n " + square +
                       "\n v = ReduceMean (q, axes)\n ve = Add (v, e)\n " + root + "\n}");
}

constexpr const char* kFused = R"(g (float[b,4] x) => (float[b,4] y) <float[4] g = {1,2,3,4}> {
  y = RMSNormalization <axis = -1, epsilon = 0.001> (x, g)
})";

TEST_F(FuseRmsNorm, TakesEverySpelling) {
  for (const char* square : {"q = Pow (x, two)", "q = Mul (x, x)"}) {
    for (const char* root : {"r = Sqrt (ve)\n n = Div (x, r)\n y = Mul (n, g)",
                             "r = Sqrt (ve)\n i = Reciprocal (r)\n n = Mul (x, i)\n y = Mul (g, n)",
                             "r = Sqrt (ve)\n i = Div (one, r)\n n = Mul (i, x)\n y = Mul (g, n)",
                             "i = Pow (ve, h)\n n = Mul (x, i)\n y = Mul (g, n)",
                             "r = Sqrt (ve)\n i = Reciprocal (r)\n ig = Mul (g, i)\n y = Mul (x, ig)"}) {
      expect_fused(kPass, decomposed(square, root), opset(23, kFused));
    }
  }
}

TEST_F(FuseRmsNorm, TakesLlamaWithItsCasts) {
  const std::string weight = "float16[4] g = " + halves({1, 2, 3, 4});
  const auto before = [&weight](const std::string& outputs) {
    return opset(23, "g (float16[b,4] x) => (" + outputs + ") <" + weight +
                         R"(, float two = {2}, float e = {0.001}, int64[1] axes = {-1}> {
    xc = Cast <to = 1> (x)
    q = Pow (xc, two)
    v = ReduceMean (q, axes)
    ve = Add (v, e)
    r = Sqrt (ve)
    i = Reciprocal (r)
    nc = Mul (xc, i)
    n = Cast <to = 10> (nc)
    y = Mul (g, n)
  })");
  };
  const auto after = [&weight](const std::string& outputs, const std::string& cast) {
    return opset(23, "g (float16[b,4] x) => (" + outputs + ") <" + weight + "> {\n " + cast +
                         "y = RMSNormalization <axis = -1, epsilon = 0.001> (x, g)\n}");
  };
  expect_fused(kPass, before("float16[b,4] y"), after("float16[b,4] y", ""), nullptr, 0.005);
  // The cast may have other readers: it stays for them.
  expect_fused(kPass, before("float16[b,4] y, float[b,4] xc"),
               after("float16[b,4] y, float[b,4] xc", "xc = Cast <to = 1> (x)\n "), nullptr, 0.005);
}

TEST_F(FuseRmsNorm, StaysInFloatWhereTheScaleIs) {
  expect_fused(kPass, opset(23, R"(g (float16[b,4] x) => (float16[b,4] y)
    <float two = {2}, float e = {0.001}, int64[1] axes = {-1}, float[4] g = {1,2,3,4}> {
    xc = Cast <to = 1> (x)
    q = Pow (xc, two)
    v = ReduceMean (q, axes)
    ve = Add (v, e)
    r = Sqrt (ve)
    n = Div (xc, r)
    z = Mul (n, g)
    y = Cast <to = 10> (z)
  })"),
               opset(23, R"(g (float16[b,4] x) => (float16[b,4] y) <float[4] g = {1,2,3,4}> {
    xc = Cast <to = 1> (x)
    z = RMSNormalization <axis = -1, epsilon = 0.001> (xc, g)
    y = Cast <to = 10> (z)
  })"),
               nullptr, 0.005);
}

TEST_F(FuseRmsNorm, LeavesOtherFormulas) {
  const std::string end = "r = Sqrt (ve)\n n = Div (x, r)\n y = Mul (n, g)";
  expect_left(kPass, decomposed("q = Abs (x)", end));
  expect_left(kPass, decomposed("a = Neg (x)\n q = Mul (a, x)", end));
  expect_left(kPass, decomposed("q = Mul (x, x)", "r = Sqrt (ve)\n n = Mul (x, r)\n y = Mul (n, g)"));
  expect_left(kPass, decomposed("q = Mul (x, x)", "r = Sqrt (ve)\n n = Div (g, r)\n y = Mul (n, g)"));
  expect_left(kPass, decomposed("q = Mul (x, x)", end, "0"), nullptr, "other axes");
  expect_left(kPass, decomposed("q = Mul (x, x)", end, "-1", "float[b,4] y, float[b,1] v"), nullptr,
              "read elsewhere");
}

TEST_F(FuseRmsNorm, LeavesLayerNormToItsOwnPass) {
  expect_left(kPass, opset(23, R"(g (float[b,4] x) => (float[b,4] y)
    <float e = {0.001}, int64[1] axes = {-1}, float[4] g = {1,2,3,4}> {
    m = ReduceMean (x, axes)
    d = Sub (x, m)
    q = Mul (d, d)
    v = ReduceMean (q, axes)
    ve = Add (v, e)
    r = Sqrt (ve)
    n = Div (d, r)
    y = Mul (n, g)
  })"));
}

TEST_F(FuseRmsNorm, WaitsForTheOpset) {
  std::string text = decomposed("q = Mul (x, x)", "r = Sqrt (ve)\n n = Div (x, r)\n y = Mul (n, g)");
  text.replace(text.find("\"\" : 23"), 7, "\"\" : 18");
  const Runs support = {"RMSNormalization"};
  expect_left(kPass, text, &support);
}

}  // namespace
}  // namespace tarmac::test
