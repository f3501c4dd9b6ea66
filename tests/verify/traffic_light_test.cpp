// The shipped example on its real pictures, which `./dev demo` installs.
#include <gtest/gtest.h>

#include "base/file.h"
#include "graph/model_io.h"
#include "plan/plan_file.h"
#include "runtime/compile.h"
#include "runtime/example_models.h"
#include "support/temporary_folder.h"
#include "support/traffic_light_example.h"
#include "tarmac/session.h"
#include "tensor/io.h"
#include "verify/evaluate.h"
#include "verify/reference.h"

namespace tarmac {
namespace {

class TrafficLightTest : public test::TrafficLightExample {
 protected:
  [[nodiscard]] std::unique_ptr<Executable> compile(const std::string& target) const {
    auto model = load_model(contract_.model);
    EXPECT_TRUE(model.ok()) << model.error().str();
    auto executable = compile_model(**find_target(target), *model, {}, no_progress());
    EXPECT_TRUE(executable.ok()) << executable.error().str();
    return *std::move(executable);
  }
};

TEST_F(TrafficLightTest, GivesTheOutputsOfTheFrameworkThatTrainedIt) {
  for (const std::string& target : test::computing_targets()) {
    const auto executable = compile(target);
    const auto comparison = compare_with_reference(*executable, contract_, no_progress());
    ASSERT_TRUE(comparison.ok()) << comparison.error().str();
    EXPECT_TRUE(comparison->passed()) << target << ": " << comparison->total.max_rel;
    // The contract allows 1 %; float engines that do the same arithmetic stay far below it.
    EXPECT_LT(comparison->total.max_rel, 1e-5) << target;
  }
}

TEST_F(TrafficLightTest, APlanAloneTurnsAPictureIntoTheSameOutputs) {
  auto model = load_model(contract_.model);
  ASSERT_TRUE(model.ok()) << model.error().str();
  const test::TemporaryFolder folder;
  const auto inputs = Dataset::open(contract_, to_data_source(*contract_.reference));
  ASSERT_TRUE(inputs.ok()) << inputs.error().str();
  const auto stored = read_npy(contract_.reference->outputs);
  for (const std::string& target : test::computing_targets()) {
    PlanContent content;
    content.info.target = target;
    content.info.engine_version = (*find_target(target))->version();
    content.model = &*model;
    content.contract_text = *read_file(contract_.file);
    ASSERT_TRUE(write_plan(folder / "light.plan", content).ok());
    auto session = Session::open(folder / "light.plan");
    ASSERT_TRUE(session.ok()) << session.error().str();
    EXPECT_EQ(session->plan()->labels, contract_.labels);
    const auto picture = session->preprocess("image", inputs->items().front().path);
    ASSERT_TRUE(picture.ok()) << picture.error().str();
    ASSERT_TRUE(session->set_input("image", *picture).ok());
    ASSERT_TRUE(session->run().ok());
    const auto logits = session->output("logits");
    ASSERT_TRUE(logits.ok()) << logits.error().str();
    for (std::size_t i = 0; i < contract_.labels.size(); ++i) {
      EXPECT_NEAR(logits->data<float>()[i], stored->data<float>()[i], 1e-4) << target;
    }
  }
}

TEST_F(TrafficLightTest, TellsNineLightsInTenApartOnEveryTarget) {
  const auto dataset = Dataset::open(contract_, *contract_.evaluation_data);
  ASSERT_TRUE(dataset.ok()) << dataset.error().str();
  std::vector<std::unique_ptr<Executable>> owned;
  std::vector<Executable*> executables;
  for (const std::string& target : test::computing_targets()) {
    owned.push_back(compile(target));
    executables.push_back(owned.back().get());
  }
  BatchOptions options;
  options.batch_size = 8;
  const auto evaluations = evaluate(executables, contract_, *dataset, options, no_progress());
  ASSERT_TRUE(evaluations.ok()) << evaluations.error().str();
  for (const Evaluation& evaluation : *evaluations) {
    EXPECT_EQ(evaluation.predictions.size(), dataset->size());
    EXPECT_GT(evaluation.score.value, 0.9);
    EXPECT_EQ(evaluation.score.value, evaluations->front().score.value);
  }
}

}  // namespace
}  // namespace tarmac
