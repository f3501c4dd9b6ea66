// The choice of target, precision and layout: the fastest that may be taken, and a reason for every other.
#include "tune/choose_target.h"

#include <gmock/gmock.h>

#include "tune/networks.h"
#include "tune/workspace.h"

namespace tarmac::test {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const std::vector<MeasuredShape>> batch_of(const Model& model, std::int64_t batch) {
  const Value* x = model.graph->inputs()[0];
  Shape shape = {batch};
  for (std::size_t d = 1; d < 4; ++d) shape.push_back(*(*x->type.shape)[d].size);
  std::vector<MeasuredShape> shapes(1);
  shapes[0].inputs["x"] = expect_ok(random_tensor(DType::kFloat32, shape, 1));
  shapes[0].samples = batch;
  return std::make_shared<const std::vector<MeasuredShape>>(std::move(shapes));
}

TargetCandidate candidate(const std::string& target, const Model& model, CoreLayout layout = {0, 1},
                          std::int64_t batch = 1) {
  TargetCandidate one;
  one.target = expect_ok(find_target(target));
  one.precision = "fp32";
  one.model = &model;
  one.compile.cores = layout.cores;
  one.compile.streams = layout.streams;
  one.shapes = batch_of(model, batch);
  return one;
}

ChooseOptions quick() {
  ChooseOptions options;
  options.look_s = 0.02;
  options.measure_s = 0.1;
  return options;
}

TEST(CoreLayouts, AreHalvesForLatencyAndDivisionsForThroughput) {
  using L = std::vector<CoreLayout>;
  EXPECT_EQ(core_layouts(2, Objective::kLatency), (L{{2, 1}, {1, 1}}));
  EXPECT_EQ(core_layouts(2, Objective::kThroughput), (L{{2, 1}, {2, 2}, {1, 1}}));
  EXPECT_EQ(core_layouts(6, Objective::kLatency), (L{{6, 1}, {3, 1}, {1, 1}}));
  EXPECT_EQ(core_layouts(6, Objective::kThroughput), (L{{6, 1}, {6, 2}, {6, 4}, {6, 6}, {1, 1}}));
  EXPECT_EQ(core_layouts(1, Objective::kThroughput), (L{{1, 1}}));
}

TEST(ChooseTarget, TakesTheFinalistWithTheLowestMedianAndSaysWhyNotTheOthers) {
  const Model large = network(32, 32, 1);
  std::vector<TargetCandidate> candidates;
  for (const std::string& target : computing_targets()) {
    candidates.push_back(candidate(target, large, {0, 1}));
    candidates.push_back(candidate(target, large, {1, 1}));
  }
  const std::size_t chosen = expect_ok(choose_target(candidates, quick(), no_progress()));
  ASSERT_TRUE(candidates[chosen].finalist);
  EXPECT_NE(candidates[chosen].executable, nullptr);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const TargetCandidate& one = candidates[i];
    ASSERT_TRUE(one.latency.has_value());
    if (one.finalist) {
      EXPECT_LE(candidates[chosen].latency->p50_ns, one.latency->p50_ns);
    }
    EXPECT_EQ(one.failure.empty(), i == chosen) << one.failure;
  }
}

TEST(ChooseTarget, CountsSamplesForThroughput) {
  const Model model = network(16, 16, 1);
  ChooseOptions options = quick();
  options.objective = Objective::kThroughput;
  for (const std::string& target : computing_targets()) {
    std::vector<TargetCandidate> candidates;
    candidates.push_back(candidate(target, model, {0, 1}, 1));
    candidates.push_back(candidate(target, model, {0, 1}, 8));
    const std::size_t chosen = expect_ok(choose_target(candidates, options, no_progress()));
    for (const TargetCandidate& one : candidates) {
      if (one.finalist) {
        EXPECT_LE(one.samples_per_s, candidates[chosen].samples_per_s);
      }
    }
  }
}

TEST(ChooseTarget, RefusesWhatLosesToACandidateThatMayNotBeTaken) {
  const Model small = network(4, 8, 1);
  const Model large = network(64, 48, 1);
  const std::string target = computing_targets().front();
  std::vector<TargetCandidate> candidates;
  candidates.push_back(candidate(target, small));
  candidates.back().eligible = false;
  candidates.push_back(candidate(target, large));
  candidates.back().precision = "int8";
  const auto chosen = choose_target(candidates, quick(), no_progress());
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(chosen.error().message, HasSubstr("loses to FP32"));
}

TEST(ChooseTarget, KeepsReasonsGivenBeforeAndListsThemWhenNothingIsLeft) {
  const Model model = network(4, 8, 1);
  std::vector<TargetCandidate> candidates;
  for (const std::string& target : computing_targets()) {
    candidates.push_back(candidate(target, model));
    candidates.back().failure = "crashed (SIGSEGV)";
  }
  const auto chosen = choose_target(candidates, quick(), no_progress());
  ASSERT_FALSE(chosen.ok());
  EXPECT_THAT(chosen.error().message, HasSubstr("crashed (SIGSEGV)"));
  EXPECT_FALSE(candidates.front().tried);
}

TEST(ChooseTarget, HoldsTheWorkspaceLimitWithBothNumbers) {
  const Model model = network(32, 32, 1);
  std::vector<TargetCandidate> candidates;
  candidates.push_back(candidate("onnxruntime", model));
  candidates.back().largest = batch_of(model, 64);
  ChooseOptions options = quick();
  options.workspace_bytes = 100'000;
  const auto chosen = choose_target(candidates, options, no_progress());
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, ErrorCode::kResourceExhausted);
  // Two activations of 32 channels at batch 64 are 16 MiB.
  EXPECT_GT(*candidates[0].workspace_bytes, 8U << 20U);
  EXPECT_THAT(chosen.error().message, HasSubstr("the workspace limit is 0.1 MiB"));
}

TEST(ChooseTarget, SaysWhoIsAtWorkAndHowLongItTakes) {
  const Model model = network(8, 16, 1);
  std::vector<TargetCandidate> candidates;
  for (const std::string& target : computing_targets()) candidates.push_back(candidate(target, model));
  ChooseOptions options = quick();
  std::vector<std::string> watched;
  std::vector<double> left;
  options.watch = [&](const std::string& group) { watched.push_back(group); };
  options.forecast = [&](double seconds) { left.push_back(seconds); };
  expect_ok(choose_target(candidates, options, no_progress()));
  for (const TargetCandidate& one : candidates) EXPECT_THAT(watched, ::testing::Contains(one.group()));
  EXPECT_EQ(watched.back(), "");
  ASSERT_GE(left.size(), candidates.size());
  EXPECT_GT(left.front(), 0);
}

TEST(MemoryGrowth, SeesWhatIsTakenAndGivenBack) {
  const auto grown = expect_ok(memory_growth([]() -> Status {
    const std::vector<char> taken(32U << 20U, 1);
    return taken.back() == 1 ? Status() : make_error(ErrorCode::kInternal, "never");
  }));
  EXPECT_GT(grown, 28U << 20U);
  EXPECT_LT(grown, 64U << 20U);
}

}  // namespace
}  // namespace tarmac::test
