#include "precision/quantize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "passes/passes.h"
#include "precision/int8_weights.h"

namespace tarmac {
namespace {

constexpr std::int64_t kFirstOpset = 10;

/// x ≈ (q − zero_point)·scale
struct Affine {
  float scale = 1;
  int zero_point = 0;
};

Result<Affine> affine_of(const std::string& name, const Range& range, ActivationForm form) {
  // Zero must be exact: padding and ReLU produce it.
  const double low = std::min(0.0, static_cast<double>(range.min));
  const double high = std::max(0.0, static_cast<double>(range.max));
  if (!std::isfinite(low) || !std::isfinite(high)) {
    return make_error(ErrorCode::kInvalidInput, "the calibrated range is not finite", name);
  }
  const bool mirrored = form == ActivationForm::kSigned || (form == ActivationForm::kSymmetric && low < 0);
  const auto scale = static_cast<float>(mirrored ? std::max(-low, high) / 127.0 : (high - low) / 255.0);
  // All zero, or so narrow that the scale would be no normal number: any scale will do.
  if (scale < 1e-30F) return Affine{};
  if (mirrored) return Affine{scale, form == ActivationForm::kSigned ? 0 : 128};
  return Affine{scale, static_cast<int>(std::clamp(std::nearbyint(-low / scale), 0.0, 255.0))};
}

/// Values that share one scale.
class ScaleSets {
 public:
  void join(Value* a, Value* b) { parent_[root(a)] = root(b); }
  Value* root(Value* value) {
    Value* up = parent_.emplace(value, value).first->second;
    return up == value ? value : parent_[value] = root(up);
  }

 private:
  std::map<Value*, Value*> parent_;
};

class Quantizer {
 public:
  Quantizer(Model& model, const FusionGroups& groups, const Ranges& ranges, const QuantizeOptions& options)
      : graph_(*model.graph),
        groups_(groups),
        ranges_(ranges),
        options_(options),
        weights_(graph_, model.opset(), options.weight_bits == 7 ? 63 : 127) {}

  Result<QuantizeReport> run() {
    QuantizeReport report;
    for (const auto& node : graph_.nodes()) nodes_.emplace(node->label(), node.get());
    for (const FusionGroup& group : groups_.groups) {
      report.nodes.push_back({group.name, group.op_type, true, {}});
      read_in_int8(group);
    }
    for (const KeptInFloat& kept : groups_.kept)
      report.nodes.push_back({kept.node, kept.op_type, false, kept.reason});
    for (Value* value : order_) {
      if (points_.contains(value)) TARMAC_CHECK_OK(widen(*value));
    }
    for (Value* value : order_) {
      if (!points_.contains(value) && !groups_.rules.pairs_around_movement) continue;
      TARMAC_CHECK_OK(put_pair(*value, readers_.at(value), sets_.root(value)));
    }
    for (const FusionGroup& group : groups_.groups) {
      if (group.weighted()) TARMAC_CHECK_OK(quantize_weights_of(group));
    }
    report.float_weight_bytes = weights_.float_bytes();
    report.int8_weight_bytes = weights_.int8_bytes();
    return report;
  }

 private:
  void read_in_int8(const FusionGroup& group) {
    for (std::size_t i = 0; i < group.inputs.size(); ++i) {
      const Reading found = reading(groups_, group, i, graph_);
      for (const Use& use : found.uses) {
        Value* value = use.node->input(use.index);
        auto& uses = readers_of(value);
        if (std::find(uses.begin(), uses.end(), use) == uses.end()) uses.push_back(use);
        sets_.join(value, found.points.front());
      }
      points_.insert(found.points.begin(), found.points.end());
    }
    if (!groups_.rules.pairs_after_weighted || !group.weighted()) return;
    Value* output = graph_.find(group.output);
    points_.insert(output);
    readers_of(output);
    written_.insert(output);
  }

  std::vector<Use>& readers_of(Value* value) {
    const auto [it, is_new] = readers_.try_emplace(value);
    if (is_new) order_.push_back(value);
    return it->second;
  }

  /// Adds the range that was seen at a rounding point to that of its set.
  Status widen(Value& point) {
    const auto it = ranges_.find(point.name());
    if (it == ranges_.end() || it->second.empty) {
      return make_error(ErrorCode::kInvalidInput, "no calibrated range for this value", point.name());
    }
    set_ranges_[sets_.root(&point)].include(it->second.min, it->second.max);
    return {};
  }

  /// QuantizeLinear and DequantizeLinear behind the value, for these readers; for all, graph outputs
  /// included, where a kernel shall write INT8.
  Status put_pair(Value& value, const std::vector<Use>& uses, const Value* set) {
    TARMAC_TRY(const Affine affine, affine_of(value.name(), set_ranges_[set], options_.activations));
    Value& scale = graph_.add_initializer(graph_.fresh_name(value.name() + "_scale"),
                                          Tensor::from<float>({}, std::vector<float>{affine.scale}));
    Value& zero = graph_.add_initializer(graph_.fresh_name(value.name() + "_zero_point"),
                                         zero_point(affine.zero_point));
    Node* first = value.producer() == nullptr ? graph_.nodes().front().get() : value.producer()->next();
    const std::string base = value.name();
    Value& quantized = graph_.add_op("QuantizeLinear", {&value, &scale, &zero}, base + "_quantized", first);
    Value& rounded =
        graph_.add_op("DequantizeLinear", {&quantized, &scale, &zero}, base + "_dequantized", first);
    quantized.producer()->name = quantized.name();
    rounded.producer()->name = rounded.name();
    quantized.type = value.type;
    quantized.type.dtype = zero.initializer()->dtype();
    rounded.type = value.type;
    scales_[&rounded] = affine.scale;
    if (written_.contains(&value)) {
      graph_.replace_uses(value, rounded);
      quantized.producer()->set_input(0, &value);
    } else {
      for (const Use& use : uses) use.node->set_input(use.index, &rounded);
    }
    return {};
  }

  [[nodiscard]] Tensor zero_point(int value) const {
    if (options_.activations == ActivationForm::kSigned)
      return Tensor::from<std::int8_t>({}, std::vector{static_cast<std::int8_t>(value)});
    return Tensor::from<std::uint8_t>({}, std::vector{static_cast<std::uint8_t>(value)});
  }

  Status quantize_weights_of(const FusionGroup& group) {
    Node& node = *nodes_.at(group.name);
    TARMAC_TRY(const std::vector<float> weight_scales, weights_.store(node));
    // Where movement stands between, the scale is that of the point before it.
    const auto scale = scales_.find(node.input(0));
    if (!options_.int32_bias || node.input(2) == nullptr) return {};
    const float input_scale = scale != scales_.end() ? scale->second : moved_scale(node);
    return weights_.store_bias(node, input_scale, weight_scales);
  }

  [[nodiscard]] float moved_scale(const Node& node) {
    const Value* value = node.input(0);
    while (!scales_.contains(value)) value = value->producer()->input(0);
    return scales_.at(value);
  }

  Graph& graph_;
  const FusionGroups& groups_;
  const Ranges& ranges_;
  const QuantizeOptions& options_;
  Int8Weights weights_;
  std::map<std::string, Node*> nodes_;
  std::set<Value*> points_;
  std::set<Value*> written_;  // by kernels that need a pair behind them
  std::map<Value*, std::vector<Use>> readers_;
  std::vector<Value*> order_;  // of readers_, so that equal models come out equal
  ScaleSets sets_;
  std::map<const Value*, Range> set_ranges_;
  std::map<const Value*, float> scales_;  // of rounded values
};

Status check_opset(const Model& model) {
  if (model.opset() >= kFirstOpset) return {};
  return make_error(ErrorCode::kUnsupported,
                    "the model is of opset " + std::to_string(model.opset()) +
                        ", quantisation needs 10 (13 for per-channel weights); export it again "
                        "with a newer opset");
}

/// Removes the float weights that nothing reads any more.
Status clean_up(Model& model) {
  PassContext context;
  return eliminate_dead_code(model, context);
}

}  // namespace

Result<QuantizeReport> quantize_static(Model& model, const FusionGroups& groups, const Ranges& ranges,
                                       const QuantizeOptions& options) {
  TARMAC_CHECK_OK(check_opset(model));
  TARMAC_TRY(QuantizeReport report, Quantizer(model, groups, ranges, options).run());
  TARMAC_CHECK_OK(clean_up(model));
  return report;
}

}  // namespace tarmac
