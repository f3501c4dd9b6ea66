#include "runtime/plan_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "runtime/cost.h"
#include "runtime/example_models.h"
#include "support/expect.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;

/// Checks by looking at every pair: nobody overlaps, everybody is aligned and inside.
void expect_sound(const std::vector<BlockLifetime>& blocks, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % blocks[i].alignment, 0U) << i;
    EXPECT_LE(plan.offsets[i] + blocks[i].bytes, plan.total_bytes) << i;
    for (std::size_t k = 0; k < i; ++k) {
      const bool together =
          blocks[i].first_use <= blocks[k].last_use && blocks[k].first_use <= blocks[i].last_use;
      const bool apart = plan.offsets[i] + blocks[i].bytes <= plan.offsets[k] ||
                         plan.offsets[k] + blocks[k].bytes <= plan.offsets[i] || blocks[i].bytes == 0 ||
                         blocks[k].bytes == 0;
      EXPECT_TRUE(!together || apart) << "blocks " << i << " and " << k;
    }
  }
  EXPECT_GE(plan.total_bytes, peak_live_bytes(blocks));
}

TEST(PlanMemoryTest, UsesMemoryAgainOfWhatIsNoLongerNeeded) {
  const std::vector<BlockLifetime> chain{{.bytes = 512, .first_use = 0, .last_use = 1},
                                         {.bytes = 1024, .first_use = 1, .last_use = 2},
                                         {.bytes = 512, .first_use = 2, .last_use = 3},
                                         {.bytes = 1024, .first_use = 3, .last_use = 4}};
  const MemoryPlan plan = expect_ok(plan_memory(chain));
  expect_sound(chain, plan);
  EXPECT_EQ(plan.total_bytes, 1536U);
  EXPECT_EQ(peak_live_bytes(chain), 1536U);
}

TEST(PlanMemoryTest, TakesTheSmallestGapThatHoldsABlock) {
  // At step 0 four lie side by side; at step 1 two gaps are left, of 300 and of 200 bytes.
  const std::vector<BlockLifetime> blocks{{.bytes = 400, .alignment = 1, .first_use = 0, .last_use = 1},
                                          {.bytes = 300, .alignment = 1, .first_use = 0, .last_use = 0},
                                          {.bytes = 250, .alignment = 1, .first_use = 0, .last_use = 1},
                                          {.bytes = 200, .alignment = 1, .first_use = 0, .last_use = 0},
                                          {.bytes = 150, .alignment = 1, .first_use = 0, .last_use = 1},
                                          {.bytes = 100, .alignment = 1, .first_use = 1, .last_use = 1}};
  const MemoryPlan plan = expect_ok(plan_memory(blocks));
  expect_sound(blocks, plan);
  EXPECT_EQ(plan.offsets[5], 950U);
  EXPECT_EQ(plan.total_bytes, 1300U);
}

TEST(PlanMemoryTest, KeepsAlignmentAndTakesEmptyBlocks) {
  const std::vector<BlockLifetime> blocks{{.bytes = 3, .alignment = 1, .first_use = 0, .last_use = 5},
                                          {.bytes = 0, .alignment = 64, .first_use = 2, .last_use = 2},
                                          {.bytes = 2, .alignment = 4096, .first_use = 0, .last_use = 5}};
  const MemoryPlan plan = expect_ok(plan_memory(blocks));
  expect_sound(blocks, plan);
  EXPECT_EQ(plan.total_bytes, 4098U);
  EXPECT_EQ(expect_ok(plan_memory({})).total_bytes, 0U);
}

TEST(PlanMemoryTest, RefusesWhatCannotBe) {
  const BlockLifetime backwards{.bytes = 1, .first_use = 2, .last_use = 1};
  expect_error(plan_memory({&backwards, 1}), ErrorCode::kInvalidInput, "step 2 to 1");
  const BlockLifetime unaligned{.bytes = 1, .alignment = 0};
  expect_error(plan_memory({&unaligned, 1}), ErrorCode::kInvalidInput, "alignment 0");
  const std::vector<BlockLifetime> huge(3, {.bytes = std::uint64_t{1} << 62U});
  expect_error(plan_memory(huge), ErrorCode::kResourceExhausted, "2^63");
}

TEST(PlanMemoryTest, IsSoundForRandomLifetimes) {
  std::mt19937_64 random(7);
  double worst = 1;
  for (int round = 0; round < 400; ++round) {
    const std::size_t steps = 1 + random() % 60;
    std::vector<BlockLifetime> blocks(random() % 80);
    for (BlockLifetime& block : blocks) {
      block.bytes = random() % (random() % 4 == 0 ? 100'000 : 2'000);
      block.alignment = std::uint64_t{1} << (random() % 8);
      block.first_use = random() % steps;
      block.last_use = std::min(steps - 1, block.first_use + random() % 8);
    }
    const MemoryPlan plan = expect_ok(plan_memory(blocks));
    expect_sound(blocks, plan);
    if (const std::uint64_t bound = peak_live_bytes(blocks); bound > 50'000) {
      worst = std::max(worst, static_cast<double>(plan.total_bytes) / static_cast<double>(bound));
    }
  }
  EXPECT_LT(worst, 1.6);
}

TEST(PlanMemoryTest, TakesTheLifetimesOfAGraphsActivations) {
  Model model = test::model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    chain (float[1, 256] x) => (float[1, 256] y) {
      a = Relu(x)
      b = Sigmoid(a)
      c = Tanh(b)
      y = Add(c, a)
    })");
  expect_ok(infer_shapes(model));
  const auto lifetimes = expect_ok(activation_lifetimes(*model.graph));
  ASSERT_EQ(lifetimes.size(), 5U);
  EXPECT_EQ(peak_live_bytes(lifetimes), 3 * 1024U);
  EXPECT_EQ(expect_ok(plan_memory(lifetimes)).total_bytes, 3 * 1024U);
}

/// Models of the benchmark where they have been exported: TARMAC_PLAN_MEMORY_MODELS=a.onnx:b.onnx.
TEST(PlanMemoryTest, IsCloseToTheBoundForRealModels) {
  const char* paths = std::getenv("TARMAC_PLAN_MEMORY_MODELS");
  if (paths == nullptr) GTEST_SKIP() << "TARMAC_PLAN_MEMORY_MODELS names no models";
  std::istringstream all(paths);
  for (std::string path; std::getline(all, path, ':');) {
    Model model = expect_ok(load_model(path));
    expect_ok(infer_shapes(model));
    const auto lifetimes = expect_ok(activation_lifetimes(*model.graph));
    const MemoryPlan plan = expect_ok(plan_memory(lifetimes));
    expect_sound(lifetimes, plan);
    std::uint64_t sum = 0;
    for (const BlockLifetime& block : lifetimes) sum += block.bytes;
    const auto bound = peak_live_bytes(lifetimes);
    std::cout << path << ": " << lifetimes.size() << " activations of " << sum << " bytes, plan "
              << plan.total_bytes << ", bound " << bound << '\n';
    EXPECT_LE(static_cast<double>(plan.total_bytes), 1.1 * static_cast<double>(bound));
  }
}

}  // namespace
}  // namespace tarmac
