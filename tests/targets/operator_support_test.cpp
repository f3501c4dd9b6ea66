// What the engines themselves say of operators.
#include "targets/operator_support.h"

#include "passes/infer_shapes.h"
#include "passes/pass_manager.h"
#include "passes/passes.h"
#include "support/graph_checks.h"
#include "targets/known_operators.h"
#include "targets/operator_probes.h"

namespace tarmac::test {
namespace {

class Support : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"openvino", "onnxruntime"}) {
      Target& target = *expect_ok(find_target(name));
      if (auto status = target.available(); !status) GTEST_SKIP() << status.error().str();
    }
  }
  static Target& openvino() { return *expect_ok(find_target("openvino")); }
  static Target& onnxruntime() { return *expect_ok(find_target("onnxruntime")); }
};

TEST_F(Support, AcceptsWhatEveryTargetRuns) {
  const TargetSupport both({&openvino(), &onnxruntime()});
  for (const char* op : {"Relu", "Gemm", "MatMul", "LayerNormalization", "Softmax", "Conv", "Concat"}) {
    EXPECT_TRUE(both.accepts("", op, 17)) << op;
  }
  EXPECT_TRUE(both.accepts("", "Gelu", 20));
}

TEST_F(Support, RefusesWhatOneTargetLacks) {
  const TargetSupport both({&openvino(), &onnxruntime()});
  EXPECT_FALSE(both.accepts("", "ImageDecoder", 20));
  EXPECT_FALSE(both.accepts("", "Gelu", 17));  // came with opset 20
  EXPECT_FALSE(both.accepts("", "NoSuchOperator", 17));
  EXPECT_FALSE(TargetSupport({}).accepts("", "Relu", 17));
}

TEST_F(Support, AcceptsAVendorsOperatorsOnItsOwnTargetOnly) {
  EXPECT_TRUE(TargetSupport({&onnxruntime()}).accepts("com.microsoft", "BiasGelu", 1));
  EXPECT_TRUE(TargetSupport({&onnxruntime()}).accepts("com.microsoft", "MultiHeadAttention", 1));
  EXPECT_FALSE(TargetSupport({&onnxruntime()}).accepts("com.microsoft", "NoSuchOperator", 1));
  EXPECT_FALSE(TargetSupport({&openvino()}).accepts("com.microsoft", "BiasGelu", 1));
  EXPECT_FALSE(TargetSupport({&openvino(), &onnxruntime()}).accepts("com.microsoft", "Gelu", 1));
}

/// A probe that its own engine cannot read would say "no" of an operator that is there.
TEST_F(Support, HasProbesThatOnnxTakes) {
  for (const char* op : {"Attention", "RMSNormalization", "RotaryEmbedding", "GroupNormalization", "Swish"}) {
    const Model probe = expect_ok(operator_probe("", op, 24));
    expect_ok(verify_model(probe));
  }
  for (const char* op : {"HardSwish", "Mish", "LayerNormalization", "DepthToSpace", "GridSample"}) {
    EXPECT_TRUE(TargetSupport({&onnxruntime()}).accepts("", op, 18)) << op;
    EXPECT_TRUE(TargetSupport({&openvino()}).accepts("", op, 18)) << op;
  }
}

/// knows() may ask an engine less than check(), and must find the same.
TEST_F(Support, SaysOfProbesWhatCompilingThemWould) {
  for (Target* target : {&openvino(), &onnxruntime()}) {
    for (const char* op : {"Attention", "GroupNormalization", "LayerNormalization", "RMSNormalization",
                           "RotaryEmbedding", "Gelu", "Mish", "Swish", "HardSwish", "Celu", "Det", "Gemm"}) {
      const Model probe = expect_ok(operator_probe("", op, 24));
      bool supported = true;
      for (const NodeVerdict& verdict : expect_ok(target->check(probe, {}, no_progress())))
        supported = supported && verdict.verdict == Verdict::kSupported;
      EXPECT_EQ(target->knows(probe).ok(), supported) << op << " on " << target->name();
    }
  }
}

TEST_F(Support, RemembersOfTheEnginesWhatTheySay) {
  for (Target* target : {&openvino(), &onnxruntime()}) {
    EXPECT_THAT(known_engines(), testing::Contains(target->version()))
        << "ask the new version, then name it there";
    for (const KnownOperator& known : known_operators()) {
      EXPECT_FALSE(is_known_to_run(target->version(), known.op_type, known.first_opset - 1));
      for (std::int64_t opset = known.first_opset; opset <= kLastKnownOpset; ++opset) {
        EXPECT_TRUE(is_known_to_run(target->version(), known.op_type, opset));
        EXPECT_TRUE(target->knows(expect_ok(operator_probe("", known.op_type, opset))).ok())
            << known.op_type << " of opset " << opset << " on " << target->version();
      }
    }
  }
  EXPECT_FALSE(is_known_to_run("OpenVINO 1.0 (CPU)", "Relu", 17));
}

TEST_F(Support, NamesTheNodeThatATargetLosesWithAnUpgrade) {
  // ONNX Runtime has no kernel for Swish; ONNX's definition of it, which it takes instead, does not last.
  Model upgraded = model(R"(<ir_version: 14, opset_import: ["" : 28]>
    g (float[2,3] x) => (float[2,3] y) { a = Relu (x) y = Swish (a) })");
  expect_ok(infer_shapes(upgraded));
  const TargetSupport support({&onnxruntime()});
  if (support.accepts("", "Swish", 28)) GTEST_SKIP() << "ONNX Runtime runs Swish of opset 28 by now";
  expect_error(support.accepts_changed(upgraded, 24), ErrorCode::kUnsupported, "Swish");
}

/// Wants GELU of opset 20, as a fusion does.
TEST_F(Support, LetsAFusionHaveANewerOpset) {
  Model found = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2,3] x) => (float[2,1] y) { y = ReduceMean <axes = [1]> (x) })");
  const TargetSupport both({&openvino(), &onnxruntime()});
  PassContext context;
  context.support = &both;
  EXPECT_FALSE(may_emit(found, context, "Gelu", 20));
  EXPECT_EQ(context.wanted_opset, 20);
  expect_ok(upgrade_opset(found, context));
  EXPECT_EQ(found.opset(), 20);
  EXPECT_EQ(context.changes.size(), 1U);
  EXPECT_EQ(found.graph->nodes().front()->inputs().size(), 2U);
  EXPECT_TRUE(may_emit(found, context, "Gelu", 20));
  context.max_opset = 17;
  EXPECT_FALSE(may_emit(found, context, "Gelu", 20));
}

TEST_F(Support, DeclinesAnUpgradeThatConversionRefuses) {
  // Until opset 13, BatchNormalization with more outputs trained.
  Model kept = model(R"(<ir_version: 7, opset_import: ["" : 13]>
    g (float[1,2,3] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[1,2,3] y, float[2] n) {
      y, n, o, p, q = BatchNormalization (x, s, b, m, v) })");
  const TargetSupport both({&openvino(), &onnxruntime()});
  PassContext context;
  context.support = &both;
  context.wanted_opset = 17;
  expect_ok(upgrade_opset(kept, context));
  EXPECT_EQ(kept.opset(), 13);
  ASSERT_EQ(context.declined.size(), 1U);
  EXPECT_THAT(context.declined.front().what, ::testing::HasSubstr("BatchNormalization"));
}

TEST_F(Support, ConvertsToTheOpsetThatTheCallerAsksFor) {
  for (const std::int64_t opset : {11, 21}) {
    Model found = model(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[2,3,8] x, float[8] s) => (float[2,3,8] y) { y = LayerNormalization (x, s) })");
    OptimizeOptions options;
    options.opset = opset;
    expect_ok(optimize(found, options));
    EXPECT_EQ(found.opset(), opset);
    expect_ok(verify_model(found));
  }
}

}  // namespace
}  // namespace tarmac::test
