#include "precision/equalize_channels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/rewrite.h"
#include "precision/channel_spaces.h"
#include "precision/weight_channels.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr double kLargest = 30;  // logarithm of a factor

/// Mean of logarithms.
struct LogMean {
  double sum = 0;
  double count = 0;
  void add(double value) {
    if (!(value > 0)) return;
    sum += std::log(value);
    ++count;
  }
  [[nodiscard]] double value() const { return count > 0 ? std::exp(sum / count) : 0.0; }
};

/// The largest |weight| between each input and output channel.
struct Magnitudes {
  const Node* node = nullptr;
  WeightChannels channels;
  std::vector<std::size_t> inputs;  // classes of the input's channels
  std::vector<float> values;        // at WeightChannels::at() / kernel
};

class Equalizer {
 public:
  Equalizer(const Model& model, const FusionGroups& groups, const EqualizeOptions& options)
      : graph_(*model.graph), options_(options), spaces_(graph_) {
    for (const std::string& name : observed_values(model, groups)) points_.push_back(graph_.find(name));
  }

  [[nodiscard]] std::vector<ChannelAxis> wanted() const {
    std::vector<ChannelAxis> found;
    for (const Value* point : points_) {
      const auto classes = spaces_.classes(point);
      if (std::any_of(classes.begin(), classes.end(), [&](std::size_t c) { return spaces_.free(c); }))
        found.push_back({point->name(), *spaces_.axis(point)});
    }
    return found;
  }

  Result<std::vector<Change>> run(const std::map<std::string, ChannelStatistics>& measured) {
    for (const ChannelAxis& point : wanted()) {
      const auto found = measured.find(point.value);
      const auto classes = spaces_.classes(graph_.find(point.value));
      if (found == measured.end() || found->second.max_abs.size() != classes.size())
        return make_error(ErrorCode::kInvalidInput, "its channels were not measured", point.value);
      add_point(classes, found->second.max_abs);
    }
    TARMAC_CHECK_OK(read_weights());
    choose_factors();
    return apply();
  }

 private:
  void add_point(const std::vector<std::size_t>& classes, const std::vector<double>& ranges) {
    ranges_.resize(spaces_.size());
    seen_.resize(spaces_.size(), false);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      ranges_[classes[c]].add(ranges[c]);
      seen_[classes[c]] = true;
    }
    tensors_.push_back(classes);
  }

  Status read_weights() {
    for (const Node* node : spaces_.weighted()) {
      Magnitudes magnitudes{node, *weight_channels(*node), spaces_.classes(node->input(0)), {}};
      if (magnitudes.inputs.empty()) continue;
      TARMAC_TRY(const std::vector<float> weights, to_floats(*constant_of(node->input(1))));
      const std::size_t kernel = magnitudes.channels.kernel;
      magnitudes.values.assign(weights.size() / kernel, 0.0F);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        float& largest = magnitudes.values[i / kernel];
        largest = std::max(largest, std::fabs(weights[i]));
      }
      readers_.push_back(std::move(magnitudes));
    }
    return {};
  }

  /// For each class what its readers take of it, where strength(class) is what a weight of 1 takes of
  /// another.
  template <typename Strength>
  [[nodiscard]] std::vector<LogMean> demand(const Strength& strength) const {
    std::vector<LogMean> found(spaces_.size());
    for (const Magnitudes& reader : readers_) {
      const WeightChannels& channels = reader.channels;
      std::vector<double> rows(channels.output_count(), 0.0);
      std::vector<double> columns(channels.input_count(), 0.0);
      channels.for_each([&](std::size_t output, std::size_t input, std::size_t at) {
        const auto weight = static_cast<double>(reader.values[at / channels.kernel]);
        rows[output] = std::max(rows[output], weight * strength(reader.inputs[input]));
      });
      channels.for_each([&](std::size_t output, std::size_t input, std::size_t at) {
        const auto weight = static_cast<double>(reader.values[at / channels.kernel]);
        if (rows[output] > 0) columns[input] = std::max(columns[input], weight / rows[output]);
      });
      for (std::size_t input = 0; input < columns.size(); ++input)
        found[reader.inputs[input]].add(columns[input]);
    }
    return found;
  }

  void choose_factors() {
    factors_.assign(spaces_.size(), 1.0);
    ranges_.resize(spaces_.size());
    seen_.resize(spaces_.size(), false);
    const auto alive = [&](std::size_t c) { return ranges_[c].count > 0; };
    const auto demands = demand([&](std::size_t c) { return ranges_[c].value(); });
    for (std::size_t c = 0; c < spaces_.size(); ++c) {
      if (!spaces_.free(c) || !alive(c)) continue;
      const double range = ranges_[c].value();
      // The strongest channel of some row wants 1; one that nobody reads may have the whole range as well.
      const double share = demands[c].count > 0 ? range * demands[c].value() : 1.0;
      factors_[c] = std::pow(share, 1 - options_.to_activations) / range;
    }
    level();
    // A channel that was always zero must not make the weights that read it coarse for the others.
    const auto dead = demand([&](std::size_t c) { return alive(c) ? 1 / factors_[c] : 0.0; });
    for (std::size_t c = 0; c < spaces_.size(); ++c) {
      if (spaces_.free(c) && !alive(c) && seen_[c] && dead[c].count > 0) factors_[c] = dead[c].value();
    }
    for (double& factor : factors_)
      factor = std::exp2(std::clamp(std::nearbyint(std::log2(factor)), -kLargest, kLargest));
  }

  /// What is common to the factors of tensors that share channels is free: it goes where channels of fixed
  /// scale in the same tensors are, else their logarithms add up to 0.
  void level() {
    std::vector<std::size_t> group(spaces_.size());
    for (std::size_t c = 0; c < group.size(); ++c) group[c] = c;
    const auto root = [&](std::size_t c) {
      while (group[c] != c) c = group[c] = group[group[c]];
      return c;
    };
    for (const auto& tensor : tensors_) {
      for (const std::size_t c : tensor) group[root(c)] = root(tensor.front());
    }
    struct Level {
      double fixed = 0;    // the largest range of a channel that keeps its scale
      double largest = 0;  // of f·R
      LogMean factors;
    };
    std::map<std::size_t, Level> levels;
    for (std::size_t c = 0; c < group.size(); ++c) {
      if (ranges_[c].count == 0) continue;
      Level& level = levels[root(c)];
      const double range = ranges_[c].value();
      if (spaces_.free(c)) {
        level.largest = std::max(level.largest, factors_[c] * range);
        level.factors.add(factors_[c]);
      } else {
        level.fixed = std::max(level.fixed, range);
      }
    }
    for (std::size_t c = 0; c < group.size(); ++c) {
      if (!spaces_.free(c) || ranges_[c].count == 0) continue;
      const Level& level = levels[root(c)];
      factors_[c] *= level.fixed > 0 ? level.fixed / level.largest : 1 / level.factors.value();
    }
  }

  [[nodiscard]] std::vector<double> factors_of(const Value* value, std::size_t count) const {
    std::vector<double> found(count, 1.0);
    const auto classes = spaces_.classes(value);
    for (std::size_t c = 0; c < classes.size(); ++c) found[c] = factors_[classes[c]];
    return found;
  }

  Result<std::vector<Change>> apply() {
    std::vector<Change> changes;
    for (Node* node : spaces_.weighted()) {
      const WeightChannels channels = *weight_channels(*node);
      const auto before = factors_of(node->input(0), channels.input_count());
      const auto behind = factors_of(node->output(0), channels.output_count());
      const bool changed = std::any_of(before.begin(), before.end(), [](double f) { return f != 1; }) ||
                           std::any_of(behind.begin(), behind.end(), [](double f) { return f != 1; });
      if (!changed) continue;
      TARMAC_CHECK_OK(scale_weights(*node, channels, before, behind));
      TARMAC_CHECK_OK(scale_constant(*node, 2, 0, behind));
      const auto [low, high] = std::minmax_element(behind.begin(), behind.end());
      const auto [least, most] = std::minmax_element(before.begin(), before.end());
      changes.push_back({"equalize_channels", node->label(),
                         "channels of its input scaled by " + std::to_string(*least) + " to " +
                             std::to_string(*most) + ", of its output by " + std::to_string(*low) + " to " +
                             std::to_string(*high)});
    }
    for (Node* node : spaces_.constant_sums()) {
      const std::size_t index = constant_of(node->input(0)) != nullptr ? 0 : 1;
      const auto axis = spaces_.axis(node->output(0));
      const auto classes = spaces_.classes(node->output(0));
      if (axis) {
        TARMAC_CHECK_OK(scale_constant(*node, index, *rank_of(node->output(0)) - *axis - 1,
                                       factors_of(node->output(0), classes.size())));
      }
    }
    return changes;
  }

  Status scale_weights(Node& node, const WeightChannels& channels, const std::vector<double>& before,
                       const std::vector<double>& behind) {
    const Tensor& stored = *constant_of(node.input(1));
    TARMAC_TRY(std::vector<float> weights, to_floats(stored));
    channels.for_each([&](std::size_t output, std::size_t input, std::size_t at) {
      for (std::size_t k = 0; k < channels.kernel; ++k) {
        weights[at + k] =
            static_cast<float>(static_cast<double>(weights[at + k]) * behind[output] / before[input]);
      }
    });
    return store(node, 1, Tensor::from(stored.shape(), weights));
  }

  /// A constant that broadcasts against channels with `inner` axes behind theirs.
  Status scale_constant(Node& node, std::size_t index, std::size_t inner,
                        const std::vector<double>& factors) {
    const Tensor* stored = constant_of(node.input(index));
    if (stored == nullptr || std::all_of(factors.begin(), factors.end(), [](double f) { return f == 1; }))
      return {};
    Shape shape = stored->shape();
    while (shape.size() <= inner) shape.insert(shape.begin(), 1);
    const std::size_t axis = shape.size() - 1 - inner;
    std::size_t run = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) run *= static_cast<std::size_t>(shape[i]);
    const bool spread = shape[axis] == 1;
    shape[axis] = static_cast<std::int64_t>(factors.size());
    TARMAC_TRY(const std::vector<float> values, to_floats(*stored));
    std::vector<float> scaled(spread ? values.size() * factors.size() : values.size());
    for (std::size_t i = 0; i < scaled.size(); ++i) {
      const std::size_t channel = i / run % factors.size();
      const std::size_t from = spread ? i / (run * factors.size()) * run + i % run : i;
      scaled[i] = static_cast<float>(static_cast<double>(values[from]) * factors[channel]);
    }
    return store(node, index, Tensor::from(shape, scaled));
  }

  Status store(Node& node, std::size_t index, Tensor tensor) {
    const auto values = tensor.data<float>();
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      return make_error(ErrorCode::kInvalidInput, "a weight is beyond the range of float32", node.label());
    const std::string name = graph_.fresh_name(node.input(index)->name() + "_equalized");
    replace_input(node, index, &graph_.add_initializer(name, std::move(tensor)));
    return {};
  }

  Graph& graph_;
  const EqualizeOptions options_;
  ChannelSpaces spaces_;
  std::vector<const Value*> points_;
  std::vector<std::vector<std::size_t>> tensors_;  // classes of the channels of each point
  std::vector<LogMean> ranges_;                    // by class
  std::vector<bool> seen_;                         // whether a point has the class
  std::vector<Magnitudes> readers_;
  std::vector<double> factors_;  // by class
};

}  // namespace

std::vector<ChannelAxis> channels_to_measure(const Model& model, const FusionGroups& groups) {
  return Equalizer(model, groups, {}).wanted();
}

Result<std::vector<Change>> equalize_channels(Model& model, const FusionGroups& groups,
                                              const std::map<std::string, ChannelStatistics>& measured,
                                              const EqualizeOptions& options) {
  return Equalizer(model, groups, options).run(measured);
}

}  // namespace tarmac
