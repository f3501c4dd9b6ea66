#include "precision/correct_bias.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "graph/model_io.h"
#include "passes/rewrite.h"
#include "precision/channel_means.h"
#include "precision/weight_channels.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

// Less noise than before by this factor is more than the judging samples' own chance.
constexpr double kWorthwhile = 0.95;

/// What a node reads and makes, by channel; by its name.
struct NodeMeans {
  std::vector<double> input;
  std::vector<double> output;
};
using Means = std::map<std::string, NodeMeans>;

/// Which part of a shift a sweep takes away: what the node's own rounding causes, or all of it. The second
/// only of nodes behind which there is no other: that would take it away again.
enum class Taken : std::uint8_t { kOwn, kAll };

std::map<std::string, Node*> nodes_of(const Model& model) {
  std::map<std::string, Node*> found;
  for (const auto& node : model.graph->nodes()) found.emplace(node->label(), node.get());
  return found;
}

/// Why a node's bias cannot be changed; empty when it can.
std::string obstacle(const Node& node) {
  const auto weights = weight_channels(node);
  if (!weights || !activation_axis(node)) return "its channels are not known";
  if (node.is("MatMul")) return "a product without bias";
  const Value* value = node.input(2);
  if (value == nullptr) return {};
  const Tensor* bias = constant_of(value);
  if (bias == nullptr || bias->dtype() != DType::kFloat32) return "its bias is computed";
  const bool row = !bias->shape().empty() &&
                   static_cast<std::size_t>(bias->shape().back()) == weights->output_count() &&
                   static_cast<std::size_t>(bias->count()) == weights->output_count();
  return row ? std::string() : "its bias is not one number for each channel";
}

Status add_to_bias(Node& node, const std::vector<double>& shift) {
  Graph& graph = node.graph();
  std::vector<float> bias(shift.size(), 0.0F);
  Shape shape = {static_cast<std::int64_t>(shift.size())};
  if (const Tensor* old = constant_of(node.input(2)); old != nullptr) {
    TARMAC_TRY(bias, to_floats(*old));
    shape = old->shape();
  }
  for (std::size_t c = 0; c < shift.size(); ++c)
    bias[c] = static_cast<float>(static_cast<double>(bias[c]) + shift[c]);
  const std::string name = graph.fresh_name(node.label() + "_corrected_bias");
  replace_input(node, 2, &graph.add_initializer(name, Tensor::from(shape, bias)));
  return {};
}

class Corrector {
 public:
  Corrector(Model& model, Target& target, const CorrectBiasOptions& options, const Halves& samples,
            Progress& progress)
      : model_(model), target_(target), options_(options), samples_(samples), progress_(progress) {}

  Result<BiasCorrection> run(const Model& reference, const FusionGroups& groups, const Quantize& quantize) {
    BiasCorrection done;
    const auto nodes = nodes_of(model_);
    for (const FusionGroup& group : groups.groups) {
      if (!group.weighted()) continue;
      if (std::string reason = obstacle(*nodes.at(group.name)); reason.empty()) {
        names_.push_back(group.name);
      } else {
        done.declined.push_back({"correct_bias", group.name, std::move(reason)});
      }
    }
    TARMAC_TRY(const auto judge,
               OutputNoise::open(reference, target_, options_.compile, samples_.judge, progress_));
    TARMAC_TRY(const Means wanted, means(reference));
    TARMAC_TRY(Model quantized, quantize(model_));
    TARMAC_TRY(done.noise_before, judge->of(quantized));
    done.noise_after = done.noise_before;
    const std::set<std::string> last = last_nodes();
    for (const Taken taken : {Taken::kOwn, Taken::kAll}) {
      if (taken == Taken::kAll)
        std::erase_if(names_, [&](const std::string& name) { return !last.contains(name); });
      TARMAC_TRY(const Means found, means(quantized));
      Model candidate = clone_model(model_);
      TARMAC_TRY(const auto changes, shift_biases(candidate, wanted, found, taken));
      TARMAC_TRY(Model trial, quantize(candidate));
      TARMAC_TRY(const double noise, judge->of(trial));
      if (!(noise < kWorthwhile * done.noise_after)) continue;
      done.noise_after = noise;
      done.changes.insert(done.changes.end(), changes.begin(), changes.end());
      model_ = std::move(candidate);
      quantized = std::move(trial);
    }
    return done;
  }

 private:
  Result<Means> means(const Model& model) {
    const auto nodes = nodes_of(model);
    std::vector<ChannelAxis> values;
    std::set<std::string> seen;
    for (const std::string& name : names_) {
      const auto node = nodes.find(name);
      if (node == nodes.end()) continue;
      for (const Value* value : {node->second->input(0), node->second->output(0)}) {
        if (seen.insert(value->name()).second)
          values.push_back({value->name(), *activation_axis(*node->second)});
      }
    }
    MeasureChannelsOptions options;
    options.compile = options_.compile;
    options.magnitudes = false;
    TARMAC_TRY(const auto measured,
               measure_channels(model, values, target_, options, replay(samples_.fit), progress_));
    Means found;
    for (const std::string& name : names_) {
      const auto node = nodes.find(name);
      if (node == nodes.end()) continue;
      found[name] = {measured.at(node->second->input(0)->name()).mean,
                     measured.at(node->second->output(0)->name()).mean};
    }
    return found;
  }

  Result<std::vector<Change>> shift_biases(Model& model, const Means& wanted, const Means& found,
                                           Taken taken) {
    const auto nodes = nodes_of(model);
    std::vector<Change> changes;
    for (const auto& [name, measured] : found) {
      Node& node = *nodes.at(name);
      const NodeMeans& expected = wanted.at(name);
      std::vector<double> shift = expected.output;
      for (std::size_t c = 0; c < shift.size(); ++c) shift[c] -= measured.output[c];
      if (taken == Taken::kOwn) TARMAC_CHECK_OK(leave_inherited(node, expected.input, measured.input, shift));
      double largest = 0;
      for (const double by : shift) largest = std::max(largest, std::fabs(by));
      TARMAC_CHECK_OK(add_to_bias(node, shift));
      changes.push_back({"correct_bias", name, "its means were off by at most " + std::to_string(largest)});
    }
    return changes;
  }

  /// Takes off `shift` what the weights make of a shift of the inputs: that goes when the nodes before are
  /// corrected. Zeros of padding are not looked at.
  static Status leave_inherited(const Node& node, const std::vector<double>& expected,
                                const std::vector<double>& measured, std::vector<double>& shift) {
    const WeightChannels channels = *weight_channels(node);
    TARMAC_TRY(const std::vector<float> weights, to_floats(*constant_of(node.input(1))));
    channels.for_each([&](std::size_t output, std::size_t input, std::size_t at) {
      double sum = 0;
      for (std::size_t k = 0; k < channels.kernel; ++k) sum += static_cast<double>(weights[at + k]);
      shift[output] -= sum * (expected[input] - measured[input]);
    });
    return {};
  }

  /// Nodes from which outputs of the graph can be reached without passing another.
  [[nodiscard]] std::set<std::string> last_nodes() const {
    std::set<std::string> found;
    std::set<const Value*> seen;
    std::vector<const Value*> rest(model_.graph->outputs().begin(), model_.graph->outputs().end());
    while (!rest.empty()) {
      const Value* value = rest.back();
      rest.pop_back();
      if (value == nullptr || value->producer() == nullptr || !seen.insert(value).second) continue;
      const Node& node = *value->producer();
      if (std::find(names_.begin(), names_.end(), node.label()) != names_.end()) {
        found.insert(node.label());
      } else {
        rest.insert(rest.end(), node.inputs().begin(), node.inputs().end());
      }
    }
    return found;
  }

  Model& model_;
  Target& target_;
  const CorrectBiasOptions& options_;
  const Halves& samples_;
  Progress& progress_;
  std::vector<std::string> names_;  // of the nodes that can be corrected
};

}  // namespace

Result<BiasCorrection> correct_bias(Model& model, const Model& reference, const FusionGroups& groups,
                                    const Quantize& quantize, Target& target,
                                    const CorrectBiasOptions& options, const Halves& samples,
                                    Progress& progress) {
  return Corrector(model, target, options, samples, progress).run(reference, groups, quantize);
}

}  // namespace tarmac
