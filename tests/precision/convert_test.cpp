#include "precision/convert.h"

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "precision/precision_harness.h"
#include "precision/strong_types.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;
using Tensors = std::map<std::string, Tensor>;

std::string opset17(const std::string& graph) {
  return "<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph;
}

class Convert : public WithEngine {
 protected:
  static PlanOptions half() { return {}; }
  static PlanOptions half_with_io() {
    PlanOptions options;
    options.keep_io = true;
    return options;
  }

  static PrecisionReport convert(Model& graph, const std::vector<Tensors>& data,
                                 const PlanOptions& options = {}) {
    auto report = expect_ok(convert_precision(graph, options, engine(), samples(data), no_progress()));
    expect_consistent(graph);
    expect_ok(verify_model(graph));
    expect_ok(check_strong_types(graph));
    return report;
  }

  static std::string reason_of(const PrecisionReport& report, const std::string& node) {
    for (const KeptInFloat32& kept : report.kept) {
      if (kept.node == node) return kept.reason;
    }
    return "";
  }

  static DType type_of(const Model& graph, const std::string& value) {
    const Value* found = graph.graph->find(value);
    EXPECT_NE(found, nullptr) << value;
    return found == nullptr ? DType::kUndefined : found->type.dtype;
  }
};

Tensor ramp(const Shape& shape, float low, float high) {
  const auto count = static_cast<std::size_t>(*element_count(shape));
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(low + (high - low) * static_cast<float>(i * 37 % 101) / 100.0F);
  return Tensor::from<float>(shape, values);
}

TEST_F(Convert, KeepsAProductThatOverflowsAndTheQuotientThatReadsIt) {
  Model graph = model(opset17(R"(g (float[4] x, float[4] d) => (float[4] y) {
    a = Mul (x, x)
    y = Div (a, d)
  })"));
  const auto report =
      convert(graph, {{{"x", floats({1000, 999, 3, 1})}, {"d", floats({1000, 1000, 1000, 1000})}}});
  EXPECT_THAT(reason_of(report, "a"), HasSubstr("overflow: up to 1e+06"));
  EXPECT_THAT(reason_of(report, "y"), HasSubstr("overflow: up to 1e+06"));
  EXPECT_EQ(type_of(graph, "a"), DType::kFloat32);
  EXPECT_EQ(report.outputs.front().broken, 0);
  EXPECT_TRUE(report.proven);
  EXPECT_EQ(type_of(graph, "y"), DType::kFloat16);  // its own numbers fit
}

TEST_F(Convert, WithoutThePlanTheSameModelOverflows) {
  Model graph = model(opset17(R"(g (float16[2] x) => (float16[2] y) { a = Mul (x, x)  y = Div (a, x) })"));
  expect_ok(infer_shapes(graph));
  RoundingExecutor executor(graph, engine());
  const auto outputs = expect_ok(executor.run({{"x", floats({1000, 2})}}));
  EXPECT_EQ(outputs.at("y").data<float>()[0], INFINITY);
}

TEST_F(Convert, KeepsWhatIsNearTheLimitByTheHeadroom) {
  constexpr const char* kText = "g (float[2] x) => (float[2] y) { a = Mul (x, x)  y = Sub (a, x) }";
  Model near = model(opset17(kText));
  EXPECT_THAT(reason_of(convert(near, {{{"x", floats({200, 1.5F})}}}), "a"), HasSubstr("overflow is near"));
  PlanOptions tight;
  tight.headroom = 1;
  Model fits = model(opset17(kText));
  EXPECT_EQ(convert(fits, {{{"x", floats({200, 1.5F})}}}, tight).nodes_float32, 0U);
}

TEST_F(Convert, KeepsProductsThatWouldVanish) {
  Model graph = model(opset17(R"(g (float[2] x, float[2] big) => (float[2] y) {
    a = Mul (x, x)
    y = Mul (a, big)
  })"));
  const auto report = convert(graph, {{{"x", floats({1e-4F, 1.2e-4F})}, {"big", floats({10000, 20000})}}});
  EXPECT_THAT(reason_of(report, "a"), HasSubstr("underflow: 100 % become 0"));
  EXPECT_LT(report.outputs.front().max_rel, 0.01);
}

TEST_F(Convert, KeepsAConstantThatWouldVanish) {
  Model graph = model(opset17(R"(g (float[2] x) => (float[2] y) <float eps = {1e-9}> {
    a = Abs (x)
    b = Add (a, eps)
    y = Div (x, b)
  })"));
  const auto report = convert(graph, {{{"x", floats({0, 2})}}});
  EXPECT_THAT(reason_of(report, "b"), HasSubstr("constant 'eps'"));
}

TEST_F(Convert, KeepsDifferencesOfNearlyEqualNumbers) {
  Model graph = model(opset17(R"(g (float[2] x, float[2] z) => (float[2] y) {
    d = Sub (x, z)
    y = Mul (d, d)
  })"));
  PlanOptions options;
  options.tolerance = 1e-2;
  options.keep_io = true;
  const auto report =
      convert(graph, {{{"x", floats({100.01F, 50.3F})}, {"z", floats({100.0F, 50.297F})}}}, options);
  EXPECT_THAT(reason_of(report, "d"), HasSubstr("loss: "));
  EXPECT_EQ(report.casts, 0U);
}

constexpr const char* kNormalisation = R"(g (float[2,8] x) => (float[2,8] y)
  <float two = {2}, float eps = {1e-5}, float[8,8] w, float[8] gamma = {1,1,1,1,1,1,1,1}> {
    h = MatMul (x, w)
    mean = ReduceMean <axes = [-1]> (h)
    centred = Sub (h, mean)
    square = Pow (centred, two)
    variance = ReduceMean <axes = [-1]> (square)
    padded = Add (variance, eps)
    root = Sqrt (padded)
    scaled = Div (centred, root)
    g = Mul (scaled, gamma)
    y = MatMul (g, w)
  })";

TEST_F(Convert, KeepsADecomposedNormalisationWithTwoCasts) {
  std::string text = opset17(kNormalisation);
  std::string numbers;
  for (int i = 0; i < 64; ++i) numbers += (i == 0 ? "" : ", ") + std::to_string(0.1 * (i % 7) - 0.25);
  text.replace(text.find("float[8,8] w"), 12, "float[8,8] w = {" + numbers + "}");
  Model graph = model(text);
  const auto report = convert(graph, {{{"x", ramp({2, 8}, -900, 900)}}});
  for (const char* node : {"mean", "centred", "square", "variance", "padded", "root", "scaled"})
    EXPECT_THAT(reason_of(report, node), HasSubstr("normalisation")) << node;
  EXPECT_THAT(reason_of(report, "square"), HasSubstr("overflow"));  // its numbers say the same
  EXPECT_EQ(report.casts, 2U);
  EXPECT_EQ(type_of(graph, "g"), DType::kFloat16);
  EXPECT_EQ(type_of(graph, "h"), DType::kFloat16);
}

TEST_F(Convert, CastsAValueOnceForAllItsReaders) {
  Model graph = model(opset17(R"(g (float[4,4] x) => (float[4,4] p, float[4,4] q, float[4,4] r) {
    h = MatMul (x, x)
    p = Exp (h)
    q = Softmax (h)
    r = MatMul (h, x)
  })"));
  const auto report = convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}});
  EXPECT_EQ(report.casts, 3U);  // h up once; p and q down
  EXPECT_EQ(count_of(graph, "Cast"), 3U);
}

TEST_F(Convert, AbsorbsACheapNodeBetweenFloat32NodesAndKeepsACostlyOne) {
  Model cheap = model(opset17(R"(g (float[4,4] x) => (float[4,4] y) {
    a = Softmax (x)
    b = Relu (a)
    y = Softmax (b)
  })"));
  const auto absorbed = convert(cheap, {{{"x", ramp({4, 4}, -1, 1)}}});
  EXPECT_EQ(absorbed.casts, 2U);
  EXPECT_THAT(reason_of(absorbed, "b"), HasSubstr("between float32 nodes"));
  Model costly = model(opset17(R"(g (float[4,4] x) => (float[4,4] y) {
    a = Softmax (x)
    b = MatMul (a, a)
    y = Softmax (b)
  })"));
  EXPECT_EQ(convert(costly, {{{"x", ramp({4, 4}, -1, 1)}}}).casts, 4U);
}

TEST_F(Convert, MovementOfDataFollowsItsNeighbours) {
  Model graph = model(opset17(R"(g (float[4,4] x) => (float[4,4] y) <int64[2] shape = {4,4}> {
    a = Softmax (x)
    b = Transpose <perm = [1,0]> (a)
    c = Reshape (b, shape)
    d = Exp (c)
    e = Transpose <perm = [1,0]> (d)
    y = MatMul (e, x)
  })"));
  const auto report = convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}});
  EXPECT_EQ(report.casts, 2U);
  EXPECT_EQ(type_of(graph, "b"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "e"), DType::kFloat16);
}

TEST_F(Convert, NeedsNoMoreCastsThanTheBestChoiceForEveryNode) {
  // Pinned: a, f. Free: b, c, d, e. All 16 choices are tried by hand through the units.
  Model graph = model(opset17(R"(g (float[4,4] x) => (float[4,4] y) {
    a = Softmax (x)
    b = Relu (a)
    c = Add (b, x)
    d = Neg (b)
    e = Mul (c, d)
    y = Exp (e)
  })"));
  expect_ok(infer_shapes(graph));
  PrecisionUnits units(graph, DType::kFloat16);
  for (const auto& node : graph.graph->nodes()) {
    if (node->is("Softmax") || node->is("Exp")) units.pin(units.unit_of(*node), "test");
  }
  const auto cost = [&](const std::vector<bool>& float32) {
    std::int64_t sum = kCastCost * static_cast<std::int64_t>(units.casts(float32));
    for (std::size_t u = 0; u < float32.size(); ++u)
      sum += float32[u] && !units.units()[u].pinned ? units.units()[u].cost : 0;
    return sum;
  };
  const std::vector<bool> chosen = units.choose();
  std::int64_t best = INT64_MAX;
  for (unsigned mask = 0; mask < 1U << chosen.size(); ++mask) {
    std::vector<bool> other;
    bool allowed = true;
    for (std::size_t u = 0; u < chosen.size(); ++u) {
      other.push_back((mask >> u & 1U) != 0);
      const PrecisionUnit& unit = units.units()[u];
      const bool border =
          unit.kind == PrecisionUnit::Kind::kInput || unit.kind == PrecisionUnit::Kind::kOutput;
      allowed = allowed && (!unit.pinned || other[u]) && (!border || !other[u]);
    }
    if (allowed) best = std::min(best, cost(other));
  }
  EXPECT_EQ(cost(chosen), best);
}

TEST_F(Convert, KeepsTheTypesOfInputsAndOutputsWhereAsked) {
  constexpr const char* kText = "g (float[4,4] x) => (float[4,4] y) { a = MatMul (x, x)  y = Relu (a) }";
  Model graph = model(opset17(kText));
  EXPECT_EQ(convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}}, half_with_io()).casts, 2U);
  EXPECT_EQ(type_of(graph, "x"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "y"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "a"), DType::kFloat16);
  Model changed = model(opset17(kText));
  EXPECT_EQ(convert(changed, {{{"x", ramp({4, 4}, -1, 1)}}}).casts, 0U);
  EXPECT_EQ(type_of(changed, "x"), DType::kFloat16);
  EXPECT_EQ(type_of(changed, "y"), DType::kFloat16);
}

TEST_F(Convert, StoresAWeightInEachTypeInWhichItIsRead) {
  Model graph = model(opset17(R"(g (float[4,4] x) => (float[4,4] y, float[4,4] z)
    <float[4] shared = {1,2,3,4}, float[4] own = {1,2,3,4}> {
    a = MatMul (x, x)
    b = Add (a, shared)
    y = Mul (b, own)
    s = Softmax (x)
    t = Pow (s, shared)
    z = Log (t)
  })"));
  convert(graph, {{{"x", ramp({4, 4}, 0, 1)}}});
  EXPECT_EQ(type_of(graph, "own"), DType::kFloat16);
  EXPECT_EQ(type_of(graph, "shared"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "shared_float16"), DType::kFloat16);
}

TEST_F(Convert, KeepsSamplingCoordinatesBackToTheirSource) {
  Model graph = model(opset17(R"(g (float[1,2,8,8] x, float[1,4,4,2] points) => (float[1,2,4,4] y)
    <float[2,2,1,1] w = {1,0,0,1}, float two = {2}, float one = {1}> {
    f = Conv (x, w)
    doubled = Mul (points, two)
    grid = Sub (doubled, one)
    sampled = GridSample (f, grid)
    y = Conv (sampled, w)
  })"));
  const auto report =
      convert(graph, {{{"x", ramp({1, 2, 8, 8}, -1, 1)}, {"points", ramp({1, 4, 4, 2}, 0, 1)}}});
  EXPECT_THAT(reason_of(report, "doubled"), HasSubstr("sampling coordinates of GridSample"));
  EXPECT_THAT(reason_of(report, "grid"), HasSubstr("sampling coordinates"));
  EXPECT_EQ(type_of(graph, "f"), DType::kFloat16);
}

TEST_F(Convert, KeepsWholeNumbersThatAreNotExact) {
  Model graph = model(opset17(R"(g (int64[3] i, float[3] z) => (float[3] y) {
    p = Cast <to = 1> (i)
    y = Add (p, z)
  })"));
  const auto report =
      convert(graph, {{{"i", Tensor::from<std::int64_t>({3}, std::vector<std::int64_t>{1, 2049, 4001})},
                       {"z", floats({0.5F, 0.25F, 1})}}});
  EXPECT_THAT(reason_of(report, "p"), HasSubstr("whole numbers up to 4001"));
}

TEST_F(Convert, KeepsLargeSums) {
  Model graph =
      model(opset17(R"(g (float[1,1,64,64] x) => (float[1,1,1,1] y) { y = GlobalAveragePool (x) })"));
  EXPECT_THAT(reason_of(convert(graph, {{{"x", ramp({1, 1, 64, 64}, 0, 1)}}}), "y"),
              HasSubstr("large sum: of 4096"));
}

TEST_F(Convert, KeepsAttentionWhoseHiddenProductsMayOverflow) {
  constexpr const char* kText = R"(<ir_version: 11, opset_import: ["" : 23]>
    g (float[1,1,4,8] q, float[1,1,4,8] k, float[1,1,4,8] v) => (float[1,1,4,8] y) { y = Attention (q, k, v) })";
  const auto of = [&](float size) {
    Model graph = model(kText);
    const Tensor large = ramp({1, 1, 4, 8}, -size, size);
    return reason_of(convert(graph, {{{"q", large}, {"k", large}, {"v", ramp({1, 1, 4, 8}, 0, 1)}}}), "y");
  };
  EXPECT_EQ(of(3), "");
  EXPECT_THAT(of(300), HasSubstr("products of queries and keys may reach 2.55e+05"));
}

TEST_F(Convert, KeepsInputsAndOutputsWhoseOwnNumbersDoNotFit) {
  Model graph = model(opset17(R"(g (float[2] x, float[2] z) => (float[2] tiny, float[2] big, float[2] good) {
    tiny = Mul (x, z)
    big = Div (z, x)
    good = Add (z, z)
  })"));
  const auto report = convert(graph, {{{"x", floats({1e-9F, 2e-9F})}, {"z", floats({1, 2.5F})}}});
  EXPECT_THAT(reason_of(report, "x"), HasSubstr("underflow"));
  EXPECT_EQ(type_of(graph, "x"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "tiny"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "big"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "good"), DType::kFloat16);
  EXPECT_EQ(report.rounds, 1);
}

TEST_F(Convert, LeavesInFloat32WhatATargetRefuses) {
  Model graph = model(R"(<ir_version: 10, opset_import: ["" : 22]> g (float[4,4] x) => (float[4,4] y) {
    a = MatMul (x, x)
    y = Relu (a)
  })");
  PlanOptions options;
  options.type = DType::kBFloat16;
  options.targets = {&engine()};  // its CPU kernels take no bfloat16
  const auto report = convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}}, options);
  EXPECT_EQ(reason_of(report, "a"), "onnxruntime does not run MatMul in 16 bits");
}

TEST_F(Convert, CrossesTheBordersOfBranchesAndLoops) {
  Model graph = model(opset17(R"(g (float[4,4] x, bool c, int64 n) => (float[4,4] y, float[k,4,4] all) {
    h = MatMul (x, x)
    a = If (c) <then_branch = t () => (float[4,4] r) { r = Softmax (h) },
                else_branch = e () => (float[4,4] s) { s = MatMul (h, x) }>
    y, all = Loop (n, c, a) <body = b (int64 i, bool go, float[4,4] v) => (bool more, float[4,4] w, float[4,4] seen) {
      more = Identity (go)
      m = MatMul (v, x)
      w = Tanh (m)
      seen = Exp (w)
    }>
  })"));
  const bool yes[] = {true};
  const Tensors sample = {{"x", ramp({4, 4}, -1, 1)},
                          {"c", Tensor::from<bool>({}, std::span<const bool>(yes))},
                          {"n", Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{3})}};
  const auto report = convert(graph, {sample});
  EXPECT_EQ(type_of(graph, "y"), DType::kFloat16);
  EXPECT_GT(report.nodes_16_bit, 3U);
  EXPECT_LT(report.outputs.front().max_rel, 0.01);
}

TEST_F(Convert, LeavesScanAndSequencesAsTheyAre) {
  Model graph = model(opset17(R"(g (float[2] s0, float[3,2] x) => (float[2] s, float[3,2] y) {
    h = Abs (x)
    s, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] v) => (float[2] r, float[2] o) {
      r = Add (a, v)
      o = Identity (r)
    }> (s0, h)
  })"));
  const auto report = convert(graph, {{{"s0", floats({0, 0})}, {"x", ramp({3, 2}, -1, 1)}}});
  EXPECT_THAT(reason_of(report, "s"), HasSubstr("Scan"));
}

TEST_F(Convert, WritesTypesIntoAttributes) {
  Model graph = model(opset17(R"(g (int64[2] shape, float[2,2] x) => (float[2,2] y) {
    fill = ConstantOfShape <value = float[1] {0.5}> (shape)
    eye = EyeLike <dtype = 1> (x)
    ones = Shape (x)
    f = Cast <to = 1> (ones)
    a = MatMul (fill, eye)
    b = Add (a, f)
    y = MatMul (b, x)
  })"));
  convert(graph, {{{"shape", Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{2, 2})},
                   {"x", ramp({2, 2}, 0, 1)}}});
  EXPECT_EQ(type_of(graph, "y"), DType::kFloat16);
  EXPECT_EQ(type_of(graph, "fill"), DType::kFloat16);
  EXPECT_EQ(type_of(graph, "eye"), DType::kFloat16);
  EXPECT_EQ(count_of(graph, "Cast"), 1U);
}

TEST_F(Convert, KeepsOperatorsWithoutTheTypeAndSaysFromWhichOpsetOnTheyHaveIt) {
  Model graph = model(opset17(R"(g (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[1,1,1,1] w = {1}> {
    a = Conv (x, w)
    y = Relu (a)
  })"));
  PlanOptions options;
  options.type = DType::kBFloat16;
  const auto report = convert(graph, {{{"x", ramp({1, 1, 4, 4}, -1, 1)}}}, options);
  EXPECT_THAT(reason_of(report, "a"), HasSubstr("Conv-11 takes no bfloat16; version 22 does"));
}

TEST_F(Convert, TurnsEverythingToFloat32WhereNothingElseAgrees) {
  Model graph =
      model(opset17(R"(g (float[4,4] x) => (float[4,4] y) { a = MatMul (x, x)  y = MatMul (a, x) })"));
  PlanOptions options;
  options.tolerance = 1e-9;
  const auto report = convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}}, options);
  EXPECT_TRUE(report.everything_float32);
  EXPECT_EQ(report.outputs.front().max_rel, 0);
  EXPECT_EQ(type_of(graph, "x"), DType::kFloat32);
}

TEST_F(Convert, KeepsWhatTheUserNamesAndRefusesUnknownNames) {
  constexpr const char* kText = "g (float[4,4] x) => (float[4,4] y) { a = MatMul (x, x)  y = Relu (a) }";
  PlanOptions options;
  options.keep = {"MatMul"};
  Model graph = model(opset17(kText));
  EXPECT_THAT(reason_of(convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}}, options), "a"),
              HasSubstr("asked for"));
  options.keep = {"nothing"};
  Model other = model(opset17(kText));
  expect_error(
      convert_precision(other, options, engine(), samples({{{"x", ramp({4, 4}, -1, 1)}}}), no_progress()),
      ErrorCode::kUsage, "'nothing'");
}

TEST_F(Convert, RefusesNoData) {
  Model graph = model(opset17("g (float[2] x) => (float[2] y) { y = Relu (x) }"));
  expect_error(convert_precision(graph, {}, engine(), samples({}), no_progress()), ErrorCode::kInvalidInput,
               "at least one sample");
}

TEST_F(Convert, ToFloat32AndBackComputesTheSame) {
  Model graph =
      model(opset17(R"(g (float16[4,4] x) => (float16[4,4] y, float[4,4] z) <float16[1] w = {15360}> {
    a = MatMul (x, x)
    b = Cast <to = 1> (a)
    c = Exp (b)
    d = Cast <to = 10> (c)
    y = Mul (d, w)
    z = Cast <to = 1> (y)
  })"));
  Model kept = clone_model(graph);
  const auto report = expect_ok(convert_to_float32(graph, false));
  expect_ok(verify_model(graph));
  expect_ok(check_strong_types(graph));
  EXPECT_EQ(report.casts_removed, 2U);  // the last one gives an output of its own
  EXPECT_EQ(type_of(graph, "x"), DType::kFloat32);
  EXPECT_EQ(type_of(graph, "w"), DType::kFloat32);
  expect_ok(convert_to_float32(kept, true));
  expect_ok(verify_model(kept));
  expect_ok(check_strong_types(kept));
  EXPECT_EQ(type_of(kept, "x"), DType::kFloat16);
  EXPECT_EQ(type_of(kept, "y"), DType::kFloat16);
  EXPECT_EQ(type_of(kept, "a"), DType::kFloat32);
}

TEST_F(Convert, NodesInLocalFunctionsArePlannedOneByOne) {
  Model graph = model(R"(<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[4,4] x) => (float[4,4] y) { y = own.f (x) }
    <domain: "own", opset_import: ["" : 17]> f (v) => (r) { a = MatMul (v, v)  r = Softmax (a) })");
  const auto report = convert(graph, {{{"x", ramp({4, 4}, -1, 1)}}});
  EXPECT_EQ(report.nodes_16_bit, 1U);
  EXPECT_EQ(report.nodes_float32, 1U);
}

}  // namespace
}  // namespace tarmac::test
