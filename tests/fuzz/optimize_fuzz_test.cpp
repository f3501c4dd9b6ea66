// Damaged models that still load are optimised or refused; passes never crash, hang or leave an invalid
// model. TARMAC_FUZZ_RUNS=N takes more of them, TARMAC_FUZZ_SEED=N others.
#include <gtest/gtest.h>

#include <chrono>

#include "fuzz/mutate.h"
#include "fuzz/seeds.h"
#include "graph/model_io.h"
#include "support/expect.h"
#include "support/optimize_check.h"
#include "support/random_graph.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"

namespace tarmac::test {
namespace {

constexpr std::uint64_t kRandomSeeds = 40;
constexpr std::chrono::seconds kPatience{20};

/// The seeds of the loader, and small graphs with what passes look for.
std::vector<std::string> seeds() {
  std::vector<std::string> all = seed_models();
  for (std::uint64_t seed = 1; seed <= kRandomSeeds; ++seed)
    all.push_back(expect_ok(serialize_model(random_model(seed).model)));
  return all;
}

/// True when the bytes are a model; all that must hold of optimising it is checked.
bool optimize_damaged(const std::string& bytes, ConstantEvaluator* evaluator,
                      const OperatorSupport& support) {
  auto model = parse_model(std::as_bytes(std::span(bytes)), nullptr);
  if (!model) return false;
  OptimizeOptions options;
  options.evaluator = evaluator;
  options.support = &support;
  const auto start = std::chrono::steady_clock::now();
  const auto done = optimize(*model, options);
  const auto time = std::chrono::steady_clock::now() - start;
  EXPECT_LT(time, kPatience);
  if (!done) {
    EXPECT_NE(done.error().code, ErrorCode::kInternal) << done.error().str();
    EXPECT_FALSE(done.error().message.empty());
    return true;
  }
  for (const Value* input : model->graph->inputs()) EXPECT_FALSE(input->name().empty());
  const auto written = serialize_model(*model);
  if (!written) {
    ADD_FAILURE() << written.error().str();
    return true;
  }
  const auto again = parse_model(std::as_bytes(std::span(*written)), nullptr);
  EXPECT_TRUE(again.ok()) << again.error().str();
  return true;
}

TEST(OptimizeFuzz, DamagedModelsThatLoadAreOptimisedOrRefused) {
  std::optional<TargetEvaluator> evaluator;
  Target* const engine = expect_ok(find_target("onnxruntime"));
  if (engine->available()) evaluator.emplace(*engine);
  // What ONNX Runtime runs brings in the vendor's fusions as well.
  const TargetSupport support(evaluator ? std::vector<Target*>{engine} : available_targets());
  const auto all = seeds();
  std::mt19937 random(number_from("TARMAC_FUZZ_SEED", 20260102));
  const std::uint32_t runs = number_from("TARMAC_FUZZ_RUNS", 4000);
  std::uint32_t loaded = 0;
  for (std::uint32_t i = 0; i < runs; ++i) {
    const std::string& seed = all[random() % all.size()];
    const std::string bytes = i % 3 == 0 ? mutate(seed, all, random) : flip_bits(seed, random);
    // With the engine every fourth time: it takes most of the time, and the passes are what is tested.
    loaded += optimize_damaged(bytes, i % 4 == 0 && evaluator ? &*evaluator : nullptr, support) ? 1 : 0;
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "run " << i << ":\n"
                    << [&] {
                         const auto model = parse_model(std::as_bytes(std::span(bytes)), nullptr);
                         return model ? model_to_text(*model) : model.error().str();
                       }();
      return;
    }
  }
  EXPECT_GT(loaded * 20, runs) << "hardly a damaged model loads: the test proves little";
}

}  // namespace
}  // namespace tarmac::test
