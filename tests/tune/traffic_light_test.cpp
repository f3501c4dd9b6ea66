// The shipped example on its real pictures, which `./dev demo` installs.
#include "graph/model_io.h"
#include "networks.h"
#include "support/traffic_light_example.h"

namespace tarmac::test {
namespace {

class TrafficLightTuning : public TrafficLightExample {
 protected:
  [[nodiscard]] Dataset open(std::optional<DataSource> source, std::int64_t samples) const {
    source->samples = samples;
    return expect_ok(Dataset::open(contract_, *source));
  }
};

TEST_F(TrafficLightTuning, KeepsTop1WithinTwoPointsAndBeatsFloatOnOpenVino) {
  const auto target = find_target("openvino");
  if (!target || !(*target)->available().ok()) GTEST_SKIP() << "OpenVINO was not built in";
  Model model = expect_ok(load_model(contract_.model));
  expect_ok(infer_shapes(model));
  const Dataset calibration = open(contract_.calibration, 64);
  std::vector<Batch> batches(calibration.size());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    batches[i].inputs = expect_ok(calibration.load(i));
    batches[i].items.resize(1);
  }
  const FusionGroups groups = find_fusion_groups(model, (*target)->fusion_rules());
  const Ranges ranges = ranges_on(model, groups, batches, **target);
  const Dataset evaluation = open(contract_.evaluation_data, 100);
  const auto found = expect_ok(tune_precision(
      {.model = model,
       .groups = groups,
       .quantize = [&](Model& copy,
                       const FusionGroups& chosen) { return quantize_static(copy, chosen, ranges); },
       .target = **target,
       .compile = {},
       .contract = contract_,
       .data = evaluation,
       .max_drop = 0.02},
      no_progress()));
  EXPECT_TRUE(found.verdict.ok()) << found.verdict.error().str();
  EXPECT_EQ(found.metric, EvaluationMetric::kTop1);
  EXPECT_EQ(found.samples, 100);
  EXPECT_GT(found.float_score, 0.9);
  EXPECT_LE(found.drop(), 0.02 + 1e-9);
  EXPECT_LT(found.mixed_ns, found.float_ns);
}

}  // namespace
}  // namespace tarmac::test
