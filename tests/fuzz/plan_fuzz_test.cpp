// Plans with right digests and anything behind them: what is parsed stands it.
#include <gtest/gtest.h>

#include "base/file.h"
#include "fuzz/mutate.h"
#include "graph/model_io.h"
#include "plan/example_plan.h"
#include "plan/preprocessing.h"

namespace tarmac {
namespace {

using Sections = std::vector<std::pair<std::string, std::string>>;

class PlanFuzzTest : public testing::Test {
 protected:
  void SetUp() override {
    const Model model = test::weighty_model();
    auto content = test::example_content(model);
    content.engine = "an engine";
    ASSERT_TRUE(write_plan(path, content).ok());
    const auto plan = PlanFile::open(path);
    ASSERT_TRUE(plan.ok()) << plan.error().str();
    for (const PlanSection& section : plan->info().sections) {
      const auto bytes = *plan->section(section.name);
      sections.emplace_back(section.name,
                            std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      seeds.push_back(sections.back().second);
    }
  }

  /// Uses what can be had of the plan; counts how far it came.
  void use(const std::string& bytes) {
    (void)folder.write("m.plan", bytes);
    const auto plan = PlanFile::open(path);
    if (!plan) {
      ASSERT_EQ(exit_code(plan.error().code), 4) << plan.error().str();
      return;
    }
    ++opened;
    if (const auto model = plan->model()) {
      ++parsed;
      for (const Value* value : model->graph->initializers()) {
        if (value->initializer() != nullptr) (void)value->initializer()->clone();
      }
      ASSERT_TRUE(verify_links(*model->graph).ok());
    }
    (void)load_preprocessors(*plan);
    if (const auto contract = parse_plan_contract(plan->contract_text(), path))
      (void)plan->first_states(*contract);
  }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "m.plan";
  Sections sections;
  std::vector<std::string> seeds;
  int opened = 0;
  int parsed = 0;
};

TEST_F(PlanFuzzTest, DamagedSectionsUnderRightDigestsAreRefusedOrHarmless) {
  std::mt19937 random(test::number_from("TARMAC_FUZZ_SEED", 1));
  const std::uint32_t rounds = test::number_from("TARMAC_FUZZ_ROUNDS", 4000);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    Sections damaged = sections;
    std::string& bytes = damaged[random() % damaged.size()].second;
    bytes = random() % 2 == 0 ? test::mutate(bytes, seeds, random) : test::flip_bits(bytes, random);
    use(test::forge_plan(damaged));
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(opened, 100);
  EXPECT_GT(parsed, 100);
}

TEST_F(PlanFuzzTest, DamagedHeadersUnderTheRightDigestAreRefusedOrHarmless) {
  std::mt19937 random(test::number_from("TARMAC_FUZZ_SEED", 2));
  const std::uint32_t rounds = test::number_from("TARMAC_FUZZ_ROUNDS", 4000);
  const std::string good = test::forge_plan(sections);
  const std::size_t header_bytes = kPlanPreambleBytes + sections.size() * kPlanEntryBytes + kPlanOriginBytes;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    std::string header = test::flip_bits(good.substr(0, header_bytes), random);
    if (random() % 4 == 0) header[random() % header.size()] = static_cast<char>(random());
    Sha256 hash;
    hash.update(std::as_bytes(std::span(header)).first(32));
    hash.update(std::as_bytes(std::span(header)).subspan(64));
    const auto digest = hash.finish();
    std::copy_n(reinterpret_cast<const char*>(digest.data()), digest.size(), header.begin() + 32);
    use(header + good.substr(header_bytes));
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

}  // namespace
}  // namespace tarmac
