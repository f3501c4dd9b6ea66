#include "tune/twin_model.h"

#include <set>

#include "networks.h"
#include "tune/group_noise.h"
#include "verify/reference_engine.h"

namespace tarmac::test {
namespace {

std::vector<float> scores(Target& target, const std::vector<Batch>& batches, const Model& model,
                          const std::map<std::string, Tensor>& more = {}, bool optimized = true) {
  Model copy = clone_model(model);
  CompileOptions options;
  options.engine_optimizations = optimized;
  const auto executable = expect_ok(compile_model(target, copy, options, no_progress()));
  const auto context = expect_ok(executable->create_context());
  expect_ok(bind_inputs(*context, more));
  std::vector<float> all;
  for (const Batch& batch : batches) {
    expect_ok(bind_inputs(*context, batch.inputs));
    expect_ok(context->run());
    const Tensor output = expect_ok(context->output("scores"));
    const auto values = output.data<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<float> scores(const Prepared& prepared, const Model& model,
                          const std::map<std::string, Tensor>& more = {}) {
  return scores(prepared.target, prepared.batches, model, more);
}

/// Q/DQ nodes computed as they stand: kernels in INT8 round where these do not.
std::vector<float> exact_scores(const Prepared& prepared, const Model& model,
                                const std::map<std::string, Tensor>& more = {}) {
  return scores(*expect_ok(reference_target()), prepared.batches, model, more, false);
}

/// Σ (a − b)² / Σ b²
double error_power(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0;
  double signal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - b[i], 2);
    signal += std::pow(static_cast<double>(b[i]), 2);
  }
  return error / signal;
}

std::map<std::string, Tensor> switches(const ToggledModel& toggled, const std::vector<std::uint8_t>& on) {
  Tensor tensor = expect_ok(Tensor::allocate(DType::kBool, Shape{static_cast<std::int64_t>(on.size())}));
  for (std::size_t i = 0; i < on.size(); ++i) tensor.mutable_data<bool>()[i] = on[i] != 0;
  return {{toggled.input, tensor}};
}

class TwinModel : public testing::TestWithParam<std::string> {};

TEST_P(TwinModel, AllOffIsTheFloatModelAllOnTheQuantisedOne) {
  const Prepared prepared(GetParam(), network(16, 12, 8), 8);
  const Model quantized = prepared.quantized();
  const ToggledModel toggled = expect_ok(make_toggled_model({prepared.model, quantized, prepared.groups}));
  const std::size_t count = prepared.groups.groups.size();
  ASSERT_GE(count, 6U);
  const auto off = switches(toggled, std::vector<std::uint8_t>(count, 0));
  const auto on = switches(toggled, std::vector<std::uint8_t>(count, 1));
  const auto plain = scores(prepared, prepared.model);
  EXPECT_LT(error_power(scores(prepared, toggled.model, off), plain), 1e-10);
  const auto int8 = exact_scores(prepared, quantized);
  const double noise = error_power(int8, plain);
  EXPECT_GT(noise, 1e-6);
  EXPECT_LT(error_power(exact_scores(prepared, toggled.model, on), int8), 1e-10);
  EXPECT_LT(error_power(scores(prepared, toggled.model, on), int8), 4 * noise);
}

TEST_P(TwinModel, AnyMixIsTheModelQuantisedWithThatMix) {
  const Prepared prepared(GetParam(), network(16, 12, 8), 8);
  const Model quantized = prepared.quantized();
  const ToggledModel toggled = expect_ok(make_toggled_model({prepared.model, quantized, prepared.groups}));
  const std::size_t count = prepared.groups.groups.size();
  for (const std::size_t kept : {std::size_t{0}, std::size_t{2}, count - 1}) {
    Model mixed = clone_model(prepared.model);
    const std::string name = prepared.groups.groups[kept].name;
    std::set<std::string> left;
    for (const FusionGroup& group : keep_in_float(mixed, prepared.groups, {{name, "a test"}}).groups)
      left.insert(group.name);
    std::vector<std::uint8_t> on;
    for (const FusionGroup& group : prepared.groups.groups) on.push_back(left.contains(group.name) ? 1 : 0);
    expect_ok(quantize_static(mixed, keep_in_float(mixed, prepared.groups, {{name, "a test"}}),
                              prepared.ranges, Prepared::options()));
    const auto expected = exact_scores(prepared, mixed);
    EXPECT_LT(error_power(exact_scores(prepared, toggled.model, switches(toggled, on)), expected), 1e-10)
        << name;
  }
}

TEST_P(TwinModel, NoisePointsAtTheGroupWhoseInputHasChannelsOfUnlikeSize) {
  const Prepared even(GetParam(), network(16, 12, 1), 8);
  const Prepared uneven(GetParam(), network(16, 12, 4096), 8);
  const auto noise_of = [](const Prepared& prepared) {
    const Model quantized = prepared.quantized();
    return expect_ok(measure_noise({prepared.model, quantized, prepared.groups}, prepared.target, {},
                                   prepared.batches, no_progress()));
  };
  const auto before = noise_of(even);
  const auto after = noise_of(uneven);
  std::size_t worst = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_GT(before[i].snr_db(), 20) << even.groups.groups[i].name;
    if (after[i].snr_db() < after[worst].snr_db()) worst = i;
  }
  EXPECT_EQ(uneven.groups.groups[worst].name, "conv3");
  EXPECT_LT(after[worst].snr_db(), 10);
}

INSTANTIATE_TEST_SUITE_P(Engines, TwinModel, testing::ValuesIn(computing_targets()),
                         [](const auto& engine) { return engine.param; });

TEST(GroupNoise, IsInDecibels) {
  EXPECT_DOUBLE_EQ((GroupNoise{1000, 1}).snr_db(), 30);
  EXPECT_TRUE(std::isinf((GroupNoise{1, 0}).snr_db()));
  EXPECT_LT((GroupNoise{1, NAN}).snr_db(), 0);
}

}  // namespace
}  // namespace tarmac::test
