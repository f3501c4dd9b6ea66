#include "tune/twin_model.h"

#include "networks.h"
#include "tune/group_noise.h"

namespace tarmac::test {
namespace {

/// `exact`: with the engine's rewriting off, so that Q/DQ nodes are computed as they stand.
std::vector<float> scores(const Prepared& prepared, const Model& model, bool exact,
                          const std::map<std::string, Tensor>& more = {}) {
  Model copy = clone_model(model);
  CompileOptions options;
  options.engine_optimizations = !exact;
  const auto executable = expect_ok(compile_model(prepared.target, copy, options, no_progress()));
  const auto context = expect_ok(executable->create_context());
  expect_ok(bind_inputs(*context, more));
  std::vector<float> all;
  for (const Batch& batch : prepared.batches) {
    expect_ok(bind_inputs(*context, batch.inputs));
    expect_ok(context->run());
    const Tensor output = expect_ok(context->output("scores"));
    const auto values = output.data<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
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
  const auto plain = scores(prepared, prepared.model, false);
  EXPECT_LT(error_power(scores(prepared, toggled.model, false, off), plain), 1e-10);
  const auto int8 = scores(prepared, quantized, true);
  const double noise = error_power(int8, plain);
  EXPECT_GT(noise, 1e-6);
  EXPECT_LT(error_power(scores(prepared, toggled.model, true, on), int8), 1e-10);
  // Kernels in INT8 round where Q/DQ nodes do not; each such step goes through all later ones.
  EXPECT_LT(error_power(scores(prepared, toggled.model, false, on), int8), 4 * noise);
}

TEST_P(TwinModel, AnyMixIsTheModelQuantisedWithThatMix) {
  const Prepared prepared(GetParam(), network(16, 12, 8), 8);
  const Model quantized = prepared.quantized();
  const ToggledModel toggled = expect_ok(make_toggled_model({prepared.model, quantized, prepared.groups}));
  const std::size_t count = prepared.groups.groups.size();
  for (const std::size_t kept : {std::size_t{0}, std::size_t{2}, count - 1}) {
    std::vector<std::uint8_t> on(count, 1);
    on[kept] = 0;
    Model mixed = clone_model(prepared.model);
    const std::string name = prepared.groups.groups[kept].name;
    expect_ok(
        quantize_static(mixed, keep_in_float(mixed, prepared.groups, {{name, "a test"}}), prepared.ranges));
    const auto expected = scores(prepared, mixed, true);
    EXPECT_LT(error_power(scores(prepared, toggled.model, true, switches(toggled, on)), expected), 1e-10)
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
