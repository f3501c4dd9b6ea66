#include "precision/adaptive_rounding.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "passes/rewrite.h"
#include "precision/round_weights.h"
#include "precision/second_moments.h"
#include "precision/stored_matrix.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr int kMostSweeps = 20;
// Of the mean of H's diagonal: what was not seen on the samples counts a little.
constexpr double kDamping = 0.01;
constexpr float kLeastScale = 1e-30F;

struct Layer {
  Node* node = nullptr;
  SecondMoments moments;
};

/// One block of one group's H, damped; of the windows less their mean where a bias can take that.
class Quadratic {
 public:
  Quadratic(const SecondMoments::Block& block, std::size_t group, std::size_t count, bool centred)
      : size_(block.size) {
    const float* products = block.products.data() + group * size_ * size_;
    const double* sums = block.sums.data() + group * size_;
    const double scale = 1.0 / static_cast<double>(std::max<std::size_t>(count, 1));
    for (std::size_t i = 0; i < size_; ++i) means_.push_back(sums[i] * scale);
    values_.resize(size_ * size_);
    double trace = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) {
        const double mean = centred ? means_[i] * means_[j] : 0;
        values_[i * size_ + j] =
            static_cast<float>(static_cast<double>(products[i * size_ + j]) * scale - mean);
      }
      trace += static_cast<double>(values_[i * size_ + i]);
    }
    const double damping = kDamping * trace / static_cast<double>(size_);
    for (std::size_t i = 0; i < size_; ++i) values_[i * size_ + i] += static_cast<float>(damping);
  }

  /// E[x]
  [[nodiscard]] const std::vector<double>& means() const { return means_; }
  [[nodiscard]] const float* row(std::size_t i) const { return values_.data() + i * size_; }
  [[nodiscard]] float diagonal(std::size_t i) const { return values_[i * size_ + i]; }

  /// H·v
  [[nodiscard]] std::vector<float> times(std::span<const float> v) const {
    std::vector<float> product(size_, 0.0F);
    for (std::size_t i = 0; i < size_; ++i) {
      if (v[i] == 0) continue;
      const float* line = row(i);
      for (std::size_t j = 0; j < size_; ++j) product[j] += v[i] * line[j];
    }
    return product;
  }

 private:
  std::size_t size_;
  std::vector<float> values_;
  std::vector<double> means_;
};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// Steps single weights while that lowers δᵀ·H·δ; their sum before and behind.
struct Descent {
  double before = 0;
  double behind = 0;
};
Descent descend(const Quadratic& h, std::span<const float> weights, std::span<std::int8_t> rounded,
                int largest) {
  const std::size_t size = weights.size();
  std::vector<float> errors(size);
  for (std::size_t i = 0; i < size; ++i) errors[i] = static_cast<float>(rounded[i]) - weights[i];
  std::vector<float> gradient = h.times(errors);
  Descent cost{dot(errors, gradient), 0};
  bool changed = true;
  for (int sweep = 0; changed && sweep < kMostSweeps; ++sweep) {
    changed = false;
    for (std::size_t i = 0; i < size; ++i) {
      // The largest weight keeps the scale.
      if (std::fabs(weights[i]) > static_cast<float>(largest) - 0.5F) continue;
      const int step = gradient[i] > 0 ? -1 : 1;
      const auto moved = static_cast<float>(step);
      if (std::abs(rounded[i] + step) > largest || std::fabs(errors[i] + moved) > 1) continue;
      if (2 * moved * gradient[i] + h.diagonal(i) >= 0) continue;
      rounded[i] = static_cast<std::int8_t>(rounded[i] + step);
      errors[i] += moved;
      const float* line = h.row(i);
      for (std::size_t j = 0; j < size; ++j) gradient[j] += moved * line[j];
      changed = true;
    }
  }
  cost.behind = dot(errors, h.times(errors));
  return cost;
}

class Rounder {
 public:
  Rounder(const Layer& layer, int largest)
      : layer_(layer), channels_(layer.moments.channels()), largest_(largest) {}

  /// Replaces weights and bias of the node; says what came of it.
  Result<std::string> run() {
    Node& node = *layer_.node;
    const Tensor& stored = *constant_of(node.input(1));
    TARMAC_TRY(std::vector<float> weights, to_floats(stored));
    TARMAC_CHECK_OK(check_finite(weights, node.input(1)->name()));
    TARMAC_CHECK_OK(read_bias());
    for (std::size_t group = 0; group < channels_.groups; ++group) round_group(group, weights);
    replace(1, "_rounded", Tensor::from(stored.shape(), weights));
    if (!bias_.empty())
      replace(2, "_shifted", Tensor::from({static_cast<std::int64_t>(bias_.size())}, bias_));
    char text[96];
    std::snprintf(text, sizeof(text), "error of its results %.1f dB, rounded for the weights alone %.1f dB",
                  decibels(behind_), decibels(before_));
    return std::string(text);
  }

 private:
  [[nodiscard]] double decibels(double cost) const {
    return 10 * std::log10(std::max(cost, 1e-30) / std::max(signal_, 1e-30));
  }

  /// Zeros for a node that has none and can take one; empty where the mean of the error cannot go into a
  /// bias.
  Status read_bias() {
    const Node& node = *layer_.node;
    if (node.is("MatMul")) return {};
    bias_.assign(channels_.output_count(), 0.0F);
    if (node.input(2) == nullptr) return {};
    const Tensor* stored = constant_of(node.input(2));
    if (stored == nullptr || stored->shape() != Shape{static_cast<std::int64_t>(bias_.size())}) {
      bias_.clear();
      return {};
    }
    TARMAC_TRY(bias_, to_floats(*stored));
    return {};
  }

  void replace(std::size_t index, const char* suffix, Tensor tensor) {
    Node& node = *layer_.node;
    Graph& graph = node.graph();
    const std::string base =
        node.input(index) != nullptr ? node.input(index)->name() : node.label() + "_bias";
    replace_input(node, index, &graph.add_initializer(graph.fresh_name(base + suffix), std::move(tensor)));
  }

  void round_group(std::size_t group, std::vector<float>& weights) {
    const auto& blocks = layer_.moments.blocks();
    std::vector<Quadratic> quadratics;
    quadratics.reserve(blocks.size());
    for (const auto& block : blocks)
      quadratics.emplace_back(block, group, layer_.moments.count(), !bias_.empty());
    std::vector<float> window(channels_.inputs * channels_.kernel);
    for (std::size_t output = 0; output < channels_.outputs; ++output) {
      const auto at = [&](std::size_t i) {
        return channels_.at(group, output, i / channels_.kernel) + i % channels_.kernel;
      };
      float scale = 0;
      for (std::size_t i = 0; i < window.size(); ++i) scale = std::max(scale, std::fabs(weights[at(i)]));
      scale /= static_cast<float>(largest_);
      if (scale < kLeastScale) continue;
      for (std::size_t i = 0; i < window.size(); ++i) window[i] = weights[at(i)] / scale;
      auto rounded = round_channel(window, channels_.kernel, largest_);
      double shift = 0;
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        const auto part = std::span<const float>(window).subspan(blocks[b].first, blocks[b].size);
        const auto integers = std::span(rounded).subspan(blocks[b].first, blocks[b].size);
        const Descent cost = descend(quadratics[b], part, integers, largest_);
        const double unit = static_cast<double>(scale) * static_cast<double>(scale);
        before_ += cost.before * unit;
        behind_ += cost.behind * unit;
        signal_ += dot(part, quadratics[b].times(part)) * unit;
        for (std::size_t i = 0; i < part.size(); ++i)
          shift +=
              (static_cast<double>(integers[i]) - static_cast<double>(part[i])) * quadratics[b].means()[i];
      }
      if (!bias_.empty())
        bias_[group * channels_.outputs + output] -= static_cast<float>(shift * static_cast<double>(scale));
      for (std::size_t i = 0; i < window.size(); ++i) weights[at(i)] = static_cast<float>(rounded[i]) * scale;
    }
  }

  const Layer& layer_;
  const WeightChannels& channels_;
  const int largest_;
  std::vector<float> bias_;
  double before_ = 0;
  double behind_ = 0;
  double signal_ = 0;
};

/// Fills the moments of the layers from the samples.
Status observe(const Model& model, std::vector<Layer>& layers, Target& target,
               const AdaptiveRoundingOptions& options, const OpenSamples& samples, Progress& progress) {
  std::vector<std::string> values;
  for (const Layer& layer : layers) values.push_back(layer.node->input(0)->name());
  const std::vector<StateSpec> no_state;
  ObservedRun runs(model, values, target, options.compile, no_state);
  TARMAC_TRY(const CalibrationSource next_batch, samples());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted while rounding weights");
    TARMAC_TRY(auto batch, next_batch());
    if (!batch) return {};
    TARMAC_CHECK_OK(runs.run(*batch, progress));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Tensor& tensor = runs.tensors()[i];
      const std::size_t rows =
          tensor.shape().empty() ? 0 : counted_rows(static_cast<std::size_t>(tensor.shape().front()), *batch);
      if (!layers[i].moments.add(tensor, rows, options.windows_a_sample)) {
        return make_error(
            ErrorCode::kInvalidInput,
            "expected float32 with the channels of the weights, found " + to_string(tensor.shape()),
            values[i]);
      }
    }
    progress.advance();
  }
}

}  // namespace

Result<std::vector<Change>> round_adaptively(Model& model, const FusionGroups& groups, Target& target,
                                             const AdaptiveRoundingOptions& options,
                                             const OpenSamples& samples, Progress& progress) {
  std::map<std::string, Node*> nodes;
  for (const auto& node : model.graph->nodes()) nodes.emplace(node->label(), node.get());
  const int largest = options.weight_bits == 7 ? 63 : 127;
  std::vector<Change> changes;
  auto group = groups.groups.begin();
  while (group != groups.groups.end()) {
    std::vector<Layer> layers;
    std::size_t bytes = 0;
    for (; group != groups.groups.end() && (layers.empty() || bytes < options.most_bytes); ++group) {
      if (!group->weighted()) continue;
      Node* node = nodes.at(group->name);
      if (!has_one_reader(*node->input(1))) continue;
      auto moments = SecondMoments::create(*node);
      if (!moments) continue;
      bytes += moments->bytes();
      layers.push_back({node, *std::move(moments)});
    }
    if (layers.empty()) break;
    TARMAC_CHECK_OK(observe(model, layers, target, options, samples, progress));
    for (const Layer& layer : layers) {
      if (progress.cancelled())
        return make_error(ErrorCode::kCancelled, "interrupted while rounding weights");
      TARMAC_TRY(std::string what, Rounder(layer, largest).run());
      changes.push_back({"round_adaptively", layer.node->label(), std::move(what)});
    }
  }
  return changes;
}

}  // namespace tarmac
