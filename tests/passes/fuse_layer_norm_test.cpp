#include "passes/fusion_harness.h"

namespace tarmac::test {
namespace {

class FuseLayerNorm : public FusionTest {
 protected:
  static constexpr const char* kPass = "fuse_layer_norm";
};

/// LayerNorm over the last axis of x[b,5,4], as torch exports it; pieces can be exchanged.
struct Decomposed {
  int version = 17;
  std::string dtype = "float";
  std::string axes = "-1";
  std::string center = "d = Sub (x, m)";
  std::string square = "q = Pow (d, two)";
  std::string root = "r = Sqrt (ve)\n n = Div (d, r)";
  std::string affine = "s = Mul (n, g)\n y = Add (s, b)";
  std::string weights = "{dtype}[4] g = {1,2,3,4}, {dtype}[4] b = {0.5,-1,2,0}";
  std::string mean = {};  ///< replaces the first mean
  std::string outputs = "{dtype}[b,5,4] y";

  [[nodiscard]] std::string text() const {
    const auto mean_of = [this](const std::string& of, const std::string& to) {
      return version < 18 ? to + " = ReduceMean <axes = [" + axes + "], keepdims = 1> (" + of + ")\n "
                          : to + " = ReduceMean (" + of + ", axes)\n ";
    };
    std::string graph =
        "g ({dtype}[b,5,4] x) => (" + outputs + ")\n <{dtype} two = {2}, {dtype} e = {0.001}" +
        (version < 18 ? "" : ", int64[1] axes = {" + axes + "}") + (weights.empty() ? "" : ", " + weights) +
        "> {\n " + (mean.empty() ? mean_of("x", "m") : mean + "\n ") + center + "\n " + square + "\n " +
        mean_of("q", "v") + "ve = Add (v, e)\n " + root + "\n " + affine + "\n}";
    for (std::size_t at; (at = graph.find("{dtype}")) != std::string::npos;) graph.replace(at, 7, dtype);
    return opset(version, graph);
  }
};

constexpr const char* kFused = R"(g (float[b,5,4] x) => (float[b,5,4] y)
  <float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}> {
  y = LayerNormalization <axis = -1, epsilon = 0.001> (x, g, b)
})";

TEST_F(FuseLayerNorm, TakesWhatTorchExports) { expect_fused(kPass, Decomposed{}.text(), opset(17, kFused)); }

TEST_F(FuseLayerNorm, TakesAxesAsAnInput) {
  expect_fused(kPass, Decomposed{.version = 18}.text(), opset(18, kFused));
}

TEST_F(FuseLayerNorm, TakesPositiveAxes) {
  expect_fused(kPass, Decomposed{.axes = "2"}.text(), opset(17, kFused));
}

TEST_F(FuseLayerNorm, TakesEverySpellingOfTheSquare) {
  expect_fused(kPass, Decomposed{.square = "q = Mul (d, d)"}.text(), opset(17, kFused));
  expect_fused(kPass, Decomposed{.square = "d2 = Sub (x, m)\n q = Mul (d2, d2)"}.text(), opset(17, kFused));
}

TEST_F(FuseLayerNorm, TakesEverySpellingOfTheRoot) {
  for (const char* root :
       {"r = Sqrt (ve)\n i = Reciprocal (r)\n n = Mul (d, i)",
        "r = Sqrt (ve)\n i = Reciprocal (r)\n n = Mul (i, d)",
        "h = Constant <value = float {-0.5}> ()\n i = Pow (ve, h)\n n = Mul (d, i)",
        "h = Constant <value = float {0.5}> ()\n r = Pow (ve, h)\n n = Div (d, r)",
        "one = Constant <value = float {1}> ()\n r = Sqrt (ve)\n i = Div (one, r)\n n = Mul (d, i)"}) {
    expect_fused(kPass, Decomposed{.root = root}.text(), opset(17, kFused));
  }
}

TEST_F(FuseLayerNorm, TakesOperandsInEitherOrder) {
  expect_fused(kPass, Decomposed{.affine = "s = Mul (g, n)\n y = Add (b, s)"}.text(), opset(17, kFused));
}

TEST_F(FuseLayerNorm, TakesAScaleInsideTheReciprocal) {
  expect_fused(kPass,
               Decomposed{.root = "r = Sqrt (ve)\n i = Reciprocal (r)\n ig = Mul (i, g)\n s = Mul (d, ig)",
                          .affine = "y = Add (s, b)"}
                   .text(),
               opset(17, kFused));
}

TEST_F(FuseLayerNorm, TakesTheFormulaOfBatchNormalisation) {
  for (const char* affine : {"xm = Mul (x, ig)\n mm = Mul (m, ig)\n o = Sub (b, mm)\n y = Add (xm, o)",
                             "xm = Mul (ig, x)\n mm = Mul (ig, m)\n o = Sub (b, mm)\n y = Add (o, xm)"}) {
    expect_fused(
        kPass,
        Decomposed{.root = "r = Sqrt (ve)\n i = Reciprocal (r)\n ig = Mul (i, g)", .affine = affine}.text(),
        opset(17, kFused));
  }
}

TEST_F(FuseLayerNorm, MakesAScaleOfOnesWhereThereIsNone) {
  expect_fused(kPass, Decomposed{.affine = "y = Identity (n)", .weights = ""}.text(), opset(17, R"(
    g (float[b,5,4] x) => (float[b,5,4] y) <float[4] ones = {1,1,1,1}> {
      n = LayerNormalization <axis = -1, epsilon = 0.001> (x, ones)
      y = Identity (n)
    })"));
}

TEST_F(FuseLayerNorm, TakesScaleOrBiasAlone) {
  expect_fused(kPass, Decomposed{.affine = "y = Mul (n, g)", .weights = "float[4] g = {1,2,3,4}"}.text(),
               opset(17, R"(g (float[b,5,4] x) => (float[b,5,4] y) <float[4] g = {1,2,3,4}> {
      y = LayerNormalization <axis = -1, epsilon = 0.001> (x, g)
    })"));
  expect_fused(kPass, Decomposed{.affine = "y = Add (n, b)", .weights = "float[4] b = {1,2,3,4}"}.text(),
               opset(17, R"(
    g (float[b,5,4] x) => (float[b,5,4] y) <float[4] b = {1,2,3,4}, float[4] ones = {1,1,1,1}> {
      y = LayerNormalization <axis = -1, epsilon = 0.001> (x, ones, b)
    })"));
}

TEST_F(FuseLayerNorm, NormalisesOverSeveralTrailingAxes) {
  expect_fused(kPass,
               Decomposed{.axes = "1, 2",
                          .affine = "y = Mul (n, g)",
                          .weights = "float[5,4] g = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}"}
                   .text(),
               opset(17, R"(g (float[b,5,4] x) => (float[b,5,4] y)
      <float[5,4] g = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}> {
      y = LayerNormalization <axis = -2, epsilon = 0.001> (x, g)
    })"));
}

TEST_F(FuseLayerNorm, DropsLeadingAxesOfScaleAndBias) {
  expect_fused(kPass, Decomposed{.weights = "float[1,1,4] g = {1,2,3,4}, float[1,4] b = {0.5,-1,2,0}"}.text(),
               opset(17, kFused));
}

TEST_F(FuseLayerNorm, KeepsFloat16WhereTheCastsAreInside) {
  const std::string weights =
      "float16[4] g = " + halves({1, 2, 3, 4}) + ", float16[4] b = " + halves({0.5, -1, 2, 0});
  const std::string after = opset(17, "g (float16[b,4] x) => (float16[b,4] y) <" + weights + R"(> {
    y = LayerNormalization <axis = -1, epsilon = 0.001> (x, g, b)
  })");
  const auto before = [&weights](const std::string& nodes) {
    return opset(17, "g (float16[b,4] x) => (float16[b,4] y) <" + weights +
                         ", float two = {2}, float e = {0.001}> {\n " + nodes + R"(
    q = Pow (dc, two)
    v = ReduceMean <axes = [-1]> (q)
    ve = Add (v, e)
    r = Sqrt (ve)
    nc = Div (dc, r)
    n = Cast <to = 10> (nc)
    s = Mul (n, g)
    y = Add (s, b)
  })");
  };
  // torch: the difference is cast, and back after the division.
  expect_fused(kPass, before("m = ReduceMean <axes = [-1]> (x)\n d = Sub (x, m)\n dc = Cast <to = 1> (d)"),
               after, nullptr, 0.02);
  // Hand-written: all of it in float.
  expect_fused(kPass, before("xc = Cast <to = 1> (x)\n m = ReduceMean <axes = [-1]> (xc)\n dc = Sub (xc, m)"),
               after, nullptr, 0.02);
}

TEST_F(FuseLayerNorm, StaysInFloatWhereScaleAndBiasAre) {
  expect_fused(kPass, opset(17, R"(g (float16[b,4] x) => (float16[b,4] y)
    <float two = {2}, float e = {0.001}, float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}> {
    xc = Cast <to = 1> (x)
    m = ReduceMean <axes = [-1]> (xc)
    d = Sub (xc, m)
    q = Pow (d, two)
    v = ReduceMean <axes = [-1]> (q)
    ve = Add (v, e)
    r = Sqrt (ve)
    n = Div (d, r)
    s = Mul (n, g)
    z = Add (s, b)
    y = Cast <to = 10> (z)
  })"),
               opset(17, R"(g (float16[b,4] x) => (float16[b,4] y)
    <float[4] g = {1,2,3,4}, float[4] b = {0.5,-1,2,0}> {
    xc = Cast <to = 1> (x)
    z = LayerNormalization <axis = -1, epsilon = 0.001> (xc, g, b)
    y = Cast <to = 10> (z)
  })"),
               nullptr, 0.005);
}

TEST_F(FuseLayerNorm, WorksInNestedGraphs) {
  expect_fused(kPass, opset(17, R"(g (float[b,4] x) => (float[b,4] y)
    <float[4] g = {1,2,3,4}, float two = {2}, float e = {0.001}, bool c = {1}> {
    y = If (c) <then_branch = t () => (float[b,4] z) {
      m = ReduceMean <axes = [-1]> (x)
      d = Sub (x, m)
      q = Pow (d, two)
      v = ReduceMean <axes = [-1]> (q)
      ve = Add (v, e)
      r = Sqrt (ve)
      n = Div (d, r)
      z = Mul (n, g)
    }, else_branch = f () => (float[b,4] w) { w = Identity (x) }>
  })"),
               opset(17, R"(g (float[b,4] x) => (float[b,4] y) <float[4] g = {1,2,3,4}, bool c = {1}> {
    y = If (c) <then_branch = t () => (float[b,4] z) {
      z = LayerNormalization <axis = -1, epsilon = 0.001> (x, g)
    }, else_branch = f () => (float[b,4] w) { w = Identity (x) }>
  })"));
}

TEST_F(FuseLayerNorm, WaitsForTheOpset) {
  const Runs support = {"LayerNormalization"};
  Model old = model(Decomposed{.version = 13}.text());
  EXPECT_TRUE(apply(old, kPass, &support).changes.empty());
  PassContext context;
  context.support = &support;
  EXPECT_FALSE(may_emit(old, context, "LayerNormalization", 17));
  EXPECT_EQ(context.wanted_opset, 17);
  const Runs nothing = {};
  expect_left(kPass, Decomposed{}.text(), &nothing);
}

TEST_F(FuseLayerNorm, LeavesOtherFormulas) {
  // ε beside the root, no square, another numerator, another mean, ε that is no number.
  expect_left(kPass, Decomposed{.root = "z = Sqrt (v)\n r = Add (z, ve)\n n = Div (d, r)"}.text());
  expect_left(kPass, Decomposed{.square = "q = Abs (d)"}.text());
  expect_left(kPass, Decomposed{.root = "r = Sqrt (ve)\n n = Div (x, r)"}.text());
  expect_left(kPass, Decomposed{.root = "i = Sqrt (ve)\n n = Mul (d, i)"}.text());
  expect_left(kPass, Decomposed{.mean = "m = ReduceMax <axes = [-1]> (x)"}.text());
  expect_left(kPass, Decomposed{.mean = "m = ReduceMean <axes = [-2]> (x)"}.text());
  expect_left(kPass, Decomposed{.center = "a = Abs (x)\n d = Sub (a, m)"}.text());
  expect_left(kPass, Decomposed{.center = "d = Sub (m, x)"}.text());
  expect_left(kPass, opset(17, R"(g (float[4,4] x) => (float[4,4] y) <float two = {2}, float e = {0.001}> {
    m = ReduceMean <axes = [-1], keepdims = 0> (x)
    d = Sub (x, m)
    q = Pow (d, two)
    v = ReduceMean <axes = [-1], keepdims = 0> (q)
    ve = Add (v, e)
    r = Sqrt (ve)
    y = Div (d, r)
  })"));
}

TEST_F(FuseLayerNorm, SaysWhyItLeavesOtherAxes) {
  expect_left(kPass, Decomposed{.axes = "1"}.text(), nullptr, "other axes");
  expect_left(kPass, Decomposed{.axes = "0, 1"}.text(), nullptr, "other axes");
}

TEST_F(FuseLayerNorm, SaysWhyItLeavesDoublesAndUnknownSizes) {
  expect_left(kPass, Decomposed{.dtype = "double"}.text(), nullptr, "float64");
  std::string text = Decomposed{}.text();
  for (std::size_t at; (at = text.find("[b,5,4]")) != std::string::npos;) text.replace(at, 7, "[b,5,c]");
  expect_left(kPass, text, nullptr, "not known");
}

TEST_F(FuseLayerNorm, SaysWhyItLeavesInnerValuesThatOthersRead) {
  for (const char* inner : {"m", "d", "v", "r", "n"}) {
    const std::string last =
        std::string(inner) == "m" || std::string(inner) == "v" || std::string(inner) == "r" ? "float[b,5,1] "
                                                                                            : "float[b,5,4] ";
    Decomposed with{.outputs = "float[b,5,4] y, " + last + inner};
    if (std::string(inner) == "n") {
      // The normalisation itself may be read: scale and bias then stay.
      Model found = model(with.text());
      EXPECT_EQ(apply(found, kPass, nullptr).changes.size(), 1U);
      EXPECT_EQ(found.graph->nodes().size(), 3U);
      continue;
    }
    expect_left(kPass, with.text(), nullptr, "read elsewhere");
  }
}

TEST_F(FuseLayerNorm, LeavesScalesThatDoNotBelongToTheNormalisedAxes) {
  for (const char* scale : {"float[5,1] g = {1,2,3,4,5}", "float g = {3}", "float[1] g = {3}"}) {
    Model found = model(Decomposed{.affine = "y = Mul (n, g)", .weights = scale}.text());
    apply(found, kPass, nullptr);
    // The core becomes a node, the scale stays behind it.
    EXPECT_EQ(found.graph->nodes().size(), 2U) << model_to_text(found);
    EXPECT_EQ(found.graph->nodes().back()->op_type, "Mul");
  }
}

}  // namespace
}  // namespace tarmac::test
