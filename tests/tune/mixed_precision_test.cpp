#include "tune/mixed_precision.h"

#include <cstring>
#include <set>

#include "networks.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

using testing::HasSubstr;

/// The network with its samples as a data set without labels: agreement with the float model counts.
struct Tuning : Prepared {
  Tuning(const std::string& target_name, Model network, std::size_t samples)
      : Prepared(target_name, std::move(network), samples) {
    Shape shape = batches[0].inputs.at("x").shape();
    const std::size_t bytes = batches[0].inputs.at("x").bytes().size();
    shape[0] = static_cast<std::int64_t>(batches.size());
    Tensor all = expect_ok(Tensor::allocate(DType::kFloat32, shape));
    for (std::size_t i = 0; i < batches.size(); ++i)
      std::memcpy(all.mutable_bytes().data() + i * bytes, batches[i].inputs.at("x").bytes().data(), bytes);
    expect_ok(write_npz(folder / "data.npz", {{"x", all}}));
    InputSpec input;
    input.name = "x";
    for (std::size_t d = 0; d < shape.size(); ++d)
      input.shape.push_back(d == 0 ? InputDim{0, "batch"} : InputDim{shape[d], {}});
    contract.inputs.push_back(input);
  }

  Result<MixedPrecisionResult> tune(double max_drop, HoldOptions hold = {},
                                    Progress& progress = no_progress()) {
    DataSource source;
    source.kind = DataKind::kTensors;
    source.path = folder / "data.npz";
    const Dataset data = expect_ok(Dataset::open(contract, source));
    const GroupQuantizer quantize = [&](Model& copy, const FusionGroups& chosen) {
      return quantize_static(copy, chosen, ranges);
    };
    MixedPrecisionJob job{.model = model,
                          .groups = groups,
                          .quantize = quantize,
                          .target = target,
                          .compile = {},
                          .contract = contract,
                          .data = data};
    job.max_drop = max_drop;
    job.hold = hold;
    job.measure_s = 0.1;
    return tune_precision(job, progress);
  }

  TemporaryFolder folder;
  Contract contract;
};

class MixedPrecision : public testing::TestWithParam<std::string> {};

TEST_P(MixedPrecision, LeavesAllGroupsInInt8WhereThatStaysInside) {
  Tuning tuning(GetParam(), network(64, 32, 1), 8);
  const auto found = expect_ok(tuning.tune(0.05));
  EXPECT_FALSE(found.searched);
  EXPECT_EQ(found.compiled_candidates, 1);
  EXPECT_EQ(found.toggled_inferences, 0);
  EXPECT_LE(found.drop(), 0.05);
  for (const GroupRow& row : found.rows) {
    EXPECT_TRUE(row.int8) << row.node;
    if (row.op_type != "Conv") continue;  // the others take less than the clock's step
    EXPECT_GT(row.float_ns, 0) << row.node;
    EXPECT_GT(row.int8_ns, 0) << row.node;
  }
}

TEST_P(MixedPrecision, FindsTheOneCulprit) {
  Tuning tuning(GetParam(), network(64, 32, 4096), 12);
  const auto found = expect_ok(tuning.tune(0.05, {.samples = 6}));
  EXPECT_TRUE(found.searched);
  EXPECT_GT(found.float_score - found.int8_score, 0.05);
  EXPECT_LE(found.drop(), 0.05);
  EXPECT_EQ(found.samples, 12);
  EXPECT_EQ(found.held_samples, 6);
  // One scale for unlike channels hurts who reads them, and who writes them where that kernel rounds.
  const bool rounds_behind = tuning.target.fusion_rules().pairs_after_weighted;
  std::set<std::string> kept;
  for (const GroupRow& row : found.rows) {
    if (!row.int8) kept.insert(row.node);
  }
  EXPECT_EQ(kept, rounds_behind ? (std::set<std::string>{"conv2", "conv3"}) : std::set<std::string>{"conv3"});
  EXPECT_EQ(found.rows[0].node, "conv3");
  EXPECT_GT(*found.rows[0].sensitivity, 0.05);
  EXPECT_THAT(found.rows[0].reason, HasSubstr("points of agreement"));
  std::size_t quantized = 0;
  for (const auto& node : found.model.graph->nodes()) quantized += node->is("QuantizeLinear") ? 1 : 0;
  EXPECT_GE(quantized, 4U);
}

TEST_P(MixedPrecision, SaysTheBestWhereTheBudgetIsOutOfReach) {
  Tuning tuning(GetParam(), network(16, 16, 64), 4);
  const auto found = expect_ok(tuning.tune(0));
  ASSERT_FALSE(found.verdict.ok());
  EXPECT_EQ(found.verdict.error().code, ErrorCode::kAcceptance);
  EXPECT_THAT(found.verdict.error().message, HasSubstr("the best, with 1 of"));
  EXPECT_GT(found.drop(), 0);
  EXPECT_LT(found.drop(), found.float_score - found.int8_score);
}

TEST_P(MixedPrecision, IsCancelled) {
  class Stop : public Progress {
   public:
    void start(std::string_view task, std::uint64_t /*total*/) override {
      stopped_ = stopped_ || task == "search what stays in float";
    }
    [[nodiscard]] bool cancelled() const override { return stopped_; }

   private:
    bool stopped_ = false;
  };
  Tuning tuning(GetParam(), network(16, 16, 4096), 4);
  Stop stop;
  expect_error(tuning.tune(0.05, {}, stop), ErrorCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Engines, MixedPrecision, testing::ValuesIn(computing_targets()),
                         [](const auto& engine) { return engine.param; });

TEST(MixedPrecisionOnOnnxRuntime, RefusesWhatIsSlowerThanFloat) {
  const auto target = find_target("onnxruntime");
  if (!target || !(*target)->available().ok()) GTEST_SKIP() << "ONNX Runtime was not built in";
  // Hardly any work on large tensors: rounding its input costs more.
  Model light = model(R"(<ir_version: 8, opset_import: ["" : 17]>
    light (float[batch,3,128,128] x) => (float[batch,1,128,128] y)
    <float[1,3,1,1] w = {0.5, 0.25, -0.5}> { y = Conv (x, w) })");
  expect_ok(infer_shapes(light));
  Tuning tuning("onnxruntime", std::move(light), 2);
  const auto found = expect_ok(tuning.tune(0.9));
  ASSERT_FALSE(found.verdict.ok());
  EXPECT_EQ(found.verdict.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(found.verdict.error().message, HasSubstr("in float"));
  EXPECT_GT(found.mixed_ns, found.float_ns);
}

}  // namespace
}  // namespace tarmac::test
