#include "precision/equalize_channels.h"

#include <cmath>
#include <list>

#include "noise_models.h"
#include "plan/cpu_features.h"
#include "precision/quantize.h"
#include "support/optimize_check.h"

namespace tarmac::test {
namespace {

std::vector<Change> equalize(Model& model, const SampleSet& samples) {
  const FusionGroups groups = groups_of(model);
  const auto wanted = channels_to_measure(model, groups);
  if (wanted.empty()) return {};
  MeasureChannelsOptions options;
  options.means = false;
  const auto measured =
      expect_ok(measure_channels(model, wanted, engine(), options, replay(samples), no_progress()));
  return expect_ok(equalize_channels(model, groups, measured));
}

/// Both engines compute what they did.
void expect_same_function(const Model& before, const Model& after, const Tensors& inputs, float tolerance) {
  for (const char* target : {"onnxruntime", "openvino"}) {
    const auto reference = run_model(before, inputs, target);
    if (!reference) continue;  // an engine that does not run the model at all
    const Tensors found = expect_ok(run_model(after, inputs, target));
    for (const auto& [name, tensor] : *reference) {
      if (tensor.dtype() != DType::kFloat32) continue;
      const auto a = tensor.data<float>();
      const auto b = found.at(name).data<float>();
      float largest = 0;
      float error = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (!std::isfinite(a[i])) continue;
        largest = std::max(largest, std::fabs(a[i]));
        error = std::max(error, std::fabs(a[i] - b[i]));
      }
      EXPECT_LE(error, tolerance * largest) << name << " on " << target;
    }
  }
}

Model blocks() {
  return with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,3,8,8] x,
    float[4,3,3,3] stem, float[4,1,3,3] deep, float[6,4,1,1] wide, float[4,6,1,1] narrow, float[5,8,1,1] merge,
    float[3,2,2,2] up, float[5,7] last, float[4] bias, float[1,4,1,1] shift)
  => (float[1,7] y, float[1,2,8,8] z) <int64[1] from = {2}, int64[1] to = {5}, int64[1] one = {1}> {
  a = Conv <pads = [1,1,1,1]> (x, stem, bias)
  r = Relu (a)
  d = Conv <group = 4, pads = [1,1,1,1]> (r, deep, bias)
  e = LeakyRelu <alpha = 0.1> (d)
  w = Conv (e, wide)
  p = Relu (w)
  n = Conv (p, narrow, bias)
  m = Add (n, shift)
  s = Add (m, r)
  c = Concat <axis = 1> (s, e)
  q = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
  f = Conv (q, merge)
  g = Relu (f)
  v = Slice (g, from, to, one)
  z = ConvTranspose <strides = [2,2]> (v, up)
  h = GlobalAveragePool (g)
  k = Flatten (h)
  y = Gemm (k, last)
})",
                      {{"stem", {4, 3, 3, 3}},
                       {"deep", {4, 1, 3, 3}},
                       {"wide", {6, 4, 1, 1}},
                       {"narrow", {4, 6, 1, 1}},
                       {"merge", {5, 8, 1, 1}},
                       {"up", {3, 2, 2, 2}},
                       {"last", {5, 7}},
                       {"bias", {4}},
                       {"shift", {1, 4, 1, 1}}});
}

/// A chain like those of MobileNet: dense, depthwise, dense.
Model chain(const char* activation) {
  return with_weights(
      std::string(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,3,12,12] x,
    float[16,3,3,3] first, float[16,1,3,3] deep, float[8,16,1,1] last, float[16] bias) => (float[1,8,8,8] y) {
  a = Conv (x, first, bias)
  b = )") +
          activation + R"( (a)
  c = Conv <group = 16> (b, deep, bias)
  d = Relu (c)
  y = Conv (d, last)
})",
      {{"first", {16, 3, 3, 3}}, {"deep", {16, 1, 3, 3}}, {"last", {8, 16, 1, 1}}, {"bias", {16}}});
}

/// Channel c of what `first` makes leaves it times 2^(5c mod 9 − 4), and comes into `second` divided by it.
void rescale(Model& model, const char* first, const char* second) {
  const auto factor = [](std::size_t c) { return std::exp2(static_cast<float>(5 * c % 9) - 4); };
  for (const auto& node : model.graph->nodes()) {
    const bool makes = node->label() == first;
    if (!makes && node->label() != second) continue;
    for (std::size_t input = 1; input < (makes ? node->inputs().size() : 2); ++input) {
      Tensor tensor = expect_ok(constant_of(node->input(input))->clone());
      const std::size_t outputs = tensor.shape()[0];
      const bool by_output = makes || tensor.shape()[1] == 1;
      const std::size_t run = tensor.count() / outputs;
      auto values = tensor.mutable_data<float>();
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] *= makes ? factor(i / run) : 1 / factor(by_output ? i / run : i % run);
      Value& scaled = model.graph->add_initializer(model.graph->fresh_name("scaled"), tensor);
      node->set_input(input, &scaled);
    }
  }
}

double quantisation_noise(const Model& model, const SampleSet& samples) {
  Model quantized = clone_model(model);
  const FusionGroups groups = groups_of(quantized);
  const auto seen = expect_ok(calibrate(quantized, observed_values(quantized, groups), engine("openvino"), {},
                                        replay(samples), no_progress()));
  QuantizeOptions options;
  options.weight_bits = int8_weight_bits();
  expect_ok(quantize_static(quantized, groups, ranges_of(seen.statistics, {}), options));
  return noise_of(model, quantized, samples);
}

class EqualizeChannels : public OnEngine {};

TEST_F(EqualizeChannels, KeepsEveryBitThroughEveryTie) {
  const Model before = blocks();
  const SampleSet samples = noise_samples({1, 3, 8, 8}, 3, 99);
  Model after = clone_model(before);
  EXPECT_EQ(equalize(after, samples).size(), 7U);  // all that have weights
  expect_consistent(after);
  expect_ok(verify_model(after));
  expect_same_function(before, after, samples[0].inputs, 0);
}

/// Blocks of convolutions and what stands between them, some of which can take scales and some cannot.
class RandomBlocks {
 public:
  explicit RandomBlocks(unsigned seed) : random_(seed) {}

  Model make() {
    values_ = {{"x", 4}};
    for (int i = 0; i < 14; ++i) add_node();
    const auto [last, channels] = values_.back();
    const std::string result = convolution(last, channels, 4, 1);
    return with_weights(
        "<ir_version: 7, opset_import: [\"\" : 13]> g (float[1,4,6,6] x" + inputs_ + ") => (float[1,4,6,6] " +
            result + ") <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}> {\n" + text_ + "}",
        weights_);
  }

 private:
  std::string convolution(const std::string& from, int channels, int outputs, int groups) {
    const std::string weights = "w" + std::to_string(++count_);
    names_.push_back(weights);
    const int size = random_() % 2 == 0 ? 1 : 3;
    weights_.emplace_back(names_.back().c_str(), Shape{outputs, channels / groups, size, size});
    inputs_ += ", float[" + std::to_string(outputs) + "," + std::to_string(channels / groups) + "," +
               std::to_string(size) + "," + std::to_string(size) + "] " + weights;
    const std::string pad = size == 3 ? "1" : "0";
    return write("Conv <group = " + std::to_string(groups) + ", pads = [" + pad + "," + pad + "," + pad +
                     "," + pad + "]> (" + from + ", " + weights + ")",
                 outputs);
  }

  std::string write(const std::string& call, int channels) {
    const std::string name = "v" + std::to_string(++count_);
    text_.append("  ").append(name).append(" = ").append(call).append("\n");
    values_.emplace_back(name, channels);
    return name;
  }

  void add_node() {
    const auto pick = [&] {
      return values_[values_.size() - 1 - random_() % std::min<std::size_t>(3, values_.size())];
    };
    const auto [a, channels] = pick();
    const auto [b, others] = pick();
    switch (random_() % 12) {
      case 0:
        write("LeakyRelu <alpha = 0.25> (" + a + ")", channels);
        return;
      case 1:
        write("MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (" + a + ")", channels);
        return;
      case 2:
        write("Sigmoid (" + a + ")", channels);
        return;
      case 3:
      case 4:
        if (channels == others)
          return void(write((random_() % 2 == 0 ? "Add (" : "Mul (") + a + ", " + b + ")", channels));
        if (channels + others <= 16) write("Concat <axis = 1> (" + a + ", " + b + ")", channels + others);
        return;
      case 5:
        if (channels > 2) write("Slice (" + a + ", zero, two, one)", 2);
        return;
      case 6:
        convolution(a, channels, channels, channels);
        return;
      case 7:
      case 8:
        write("Relu (" + a + ")", channels);
        return;
      default:
        convolution(a, channels, static_cast<int>(2 + random_() % 5), 1);
        return;
    }
  }

  std::mt19937 random_;
  std::vector<std::pair<std::string, int>> values_;  // with channels
  std::list<std::string> names_;
  std::vector<std::pair<const char*, Shape>> weights_;
  std::string inputs_;
  std::string text_;
  int count_ = 0;
};

TEST_F(EqualizeChannels, KeepsTheFunctionOfRandomBlocks) {
  std::size_t changed = 0;
  for (unsigned seed = 1; seed <= 16; ++seed) {
    SCOPED_TRACE(seed);
    const Model before = RandomBlocks(seed).make();
    Model after = clone_model(before);
    const SampleSet samples = noise_samples({1, 4, 6, 6}, 2, seed);
    if (equalize(after, samples).empty()) continue;
    ++changed;
    expect_ok(verify_model(after));
    expect_same_function(before, after, samples[0].inputs, 1e-6F);
  }
  EXPECT_GT(changed, 5U);
}

TEST_F(EqualizeChannels, MakesARescaledNetworkWhatItWas) {
  const SampleSet samples = noise_samples({1, 3, 12, 12}, 4, 7);
  Model original = chain("Relu");
  Model rescaled = chain("Relu");
  rescale(rescaled, "a", "c");
  rescale(rescaled, "c", "y");
  expect_same_function(original, rescaled, samples[0].inputs, 0);
  const double without = quantisation_noise(rescaled, samples);
  equalize(original, samples);
  equalize(rescaled, samples);
  const double with = quantisation_noise(rescaled, samples);
  EXPECT_LT(with, without / 20);
  // Weights of 7 bits are rounded more coarsely, so that more hangs on which way.
  EXPECT_NEAR(with / quantisation_noise(original, samples), 1, int8_weight_bits() == 8 ? 0.05 : 0.4);
}

TEST_F(EqualizeChannels, LeavesChannelsBeforeAClip) {
  Model model = with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,2,4,4] x,
    float[2,2,1,1] w, float[2,2,1,1] v) => (float[1,2,4,4] y) <float low = {0}, float high = {6}> {
      a = Conv (x, w) b = Clip (a, low, high) y = Conv (b, v) })",
                             {{"w", {2, 2, 1, 1}}, {"v", {2, 2, 1, 1}}});
  EXPECT_TRUE(equalize(model, noise_samples({1, 2, 4, 4}, 1, 5)).empty());
}

TEST_F(EqualizeChannels, LeavesWhatTheGraphGivesOut) {
  Model model = with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,2,4,4] x,
    float[2,2,1,1] w, float[2,2,1,1] v) => (float[1,2,4,4] y, float[1,2,4,4] b) {
      a = Conv (x, w) b = Relu (a) y = Conv (b, v) })",
                             {{"w", {2, 2, 1, 1}}, {"v", {2, 2, 1, 1}}});
  EXPECT_TRUE(equalize(model, noise_samples({1, 2, 4, 4}, 1, 5)).empty());
}

TEST_F(EqualizeChannels, LeavesWhatAnotherReaderCannotTake) {
  Model model = with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,2,4,4] x,
    float[2,2,1,1] w, float[2,2,1,1] v) => (float[1,2,4,4] y, float[1,2,4,4] z) {
      a = Conv (x, w) b = Relu (a) y = Conv (b, v) z = Exp (b) })",
                             {{"w", {2, 2, 1, 1}}, {"v", {2, 2, 1, 1}}});
  EXPECT_TRUE(equalize(model, noise_samples({1, 2, 4, 4}, 1, 5)).empty());
}

TEST_F(EqualizeChannels, LeavesWeightsThatTwoNodesRead) {
  Model model = with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[1,2,4,4] x,
    float[2,2,1,1] w) => (float[1,2,4,4] y) { a = Conv (x, w) b = Relu (a) y = Conv (b, w) })",
                             {{"w", {2, 2, 1, 1}}});
  EXPECT_TRUE(equalize(model, noise_samples({1, 2, 4, 4}, 1, 5)).empty());
}

TEST_F(EqualizeChannels, MeasuresChannelsOverTheSamplesThatCount) {
  Model model =
      with_weights(R"(<ir_version: 7, opset_import: ["" : 13]> g (float[N,2,2] x) => (float[N,2,2] y)
    { y = Identity (x) })",
                   {});
  const Tensor batch = Tensor::from<float>({2, 2, 2}, std::vector<float>{1, -3, 2, 2, 9, 9, 9, 9});
  const SampleSet samples = {{{{"x", batch}}, 1, 2, false}};  // the second fills up the batch
  const auto found =
      expect_ok(measure_channels(model, {{"x", 1}, {"y", 2}}, engine(), {}, replay(samples), no_progress()));
  EXPECT_THAT(found.at("x").mean, testing::ElementsAre(-1, 2));
  EXPECT_THAT(found.at("x").mean_abs, testing::ElementsAre(2, 2));
  EXPECT_THAT(found.at("x").max_abs, testing::ElementsAre(3, 2));
  EXPECT_THAT(found.at("y").mean, testing::ElementsAre(1.5, -0.5));
}

}  // namespace
}  // namespace tarmac::test
