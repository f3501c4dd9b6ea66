#include "precision/quantize_weights.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "precision/activation_aware.h"
#include "precision/divide_channels.h"
#include "precision/fusion_groups.h"
#include "precision/int8_weights.h"
#include "precision/stored_matrix.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

// ONNX Runtime fuses nothing smaller.
constexpr std::int64_t kLeastBlock = 16;

bool is_product(const Node& node) { return node.is("MatMul") || node.is("Gemm"); }

/// [inputs, outputs] of a product's stored matrix.
Shape matrix_shape(const Node& node) {
  Shape shape = constant_of(node.input(1))->shape();
  if (node.attribute_or<std::int64_t>("transB", 0) != 0) std::swap(shape[0], shape[1]);
  return shape;
}

/// The largest power of two up to `wanted` that divides the rows.
std::int64_t block_for(std::int64_t rows, std::int64_t wanted) {
  const auto power =
      std::int64_t{1} << static_cast<unsigned>(std::countr_zero(static_cast<std::uint64_t>(rows)));
  return std::min(wanted, power);
}

/// Why weights cannot have 4 bits; empty when they can.
std::string block_obstacle(const Node& node, std::int64_t wanted) {
  if (!is_product(node)) return "neither engine computes a convolution with 4-bit weights";
  const std::int64_t rows = matrix_shape(node)[0];
  if (block_for(rows, wanted) >= kLeastBlock) return {};
  return "its " + std::to_string(rows) + " input channels are no multiple of " + std::to_string(kLeastBlock);
}

bool is_transpose(const Node* node) { return node != nullptr && node->is("Transpose"); }

/// Why a node's weights must stay in float for every engine to compute it rightly; empty for most.
std::string engine_obstacle(const Node& node) {
  if (!node.is("Conv") || node.attribute_or<std::int64_t>("group", 1) != 1) return {};
  const Shape& shape = constant_of(node.input(1))->shape();
  const bool pointwise =
      std::all_of(shape.begin() + 2, shape.end(), [](std::int64_t size) { return size == 1; });
  const auto& readers = node.output(0)->uses();
  const bool beside =
      is_transpose(node.input(0)->producer()) ||
      std::any_of(readers.begin(), readers.end(), [](const Use& use) { return is_transpose(use.node); });
  return pointwise && beside ? "OpenVINO mixes up the axes of such a 1x1 convolution beside a Transpose" : "";
}

/// The nodes with stored weights, less those with an obstacle.
FusionGroups weighted_nodes(const Model& model) {
  FusionRules rules;
  rules.weighted = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
  FusionGroups found = find_fusion_groups(model, rules);
  std::map<std::string, std::string> obstacles;
  for (const auto& node : model.graph->nodes()) {
    const bool stored = node->inputs().size() > 1 && constant_of(node->input(1)) != nullptr;
    if (std::string reason = stored ? engine_obstacle(*node) : std::string(); !reason.empty())
      obstacles.emplace(node->label(), std::move(reason));
  }
  return keep_in_float(model, std::move(found), obstacles);
}

std::vector<Node*> nodes_of(const Model& model, const FusionGroups& groups) {
  std::set<std::string> names;
  for (const FusionGroup& group : groups.groups) names.insert(group.name);
  std::vector<Node*> nodes;
  for (const auto& node : model.graph->nodes()) {
    if (names.contains(node->label())) nodes.push_back(node.get());
  }
  return nodes;
}

class WeightQuantizer {
 public:
  WeightQuantizer(Model& model, const WeightOptions& options)
      : model_(model), graph_(*model.graph), options_(options), int8_(graph_, model.opset(), 127) {}

  Result<std::vector<RewrittenNode>> run() {
    const FusionGroups groups = weighted_nodes(model_);
    const std::vector<Node*> nodes = nodes_of(model_, groups);
    TARMAC_CHECK_OK(untranspose_weights(nodes));
    if (options_.bits == 4 && options_.activations != nullptr) TARMAC_CHECK_OK(scale_activations(nodes));
    std::vector<RewrittenNode> report;
    for (Node* node : nodes) {
      RewrittenNode& row = report.emplace_back();
      row.node = node->label();
      row.op_type = node->op_type;
      row.float_bytes = constant_of(node->input(1))->bytes().size();
      if (options_.bits == 4) row.reason = block_obstacle(*node, options_.block);
      if (options_.bits == 4 && row.reason.empty()) {
        TARMAC_CHECK_OK(store_blocks(*node, row));
      } else {
        TARMAC_CHECK_OK(store_int8(*node, row));
      }
      if (is_product(*node)) TARMAC_CHECK_OK(take_activation_apart(*node));
    }
    for (const KeptInFloat& kept : groups.kept) report.push_back({kept.node, kept.op_type, {}, kept.reason});
    return report;
  }

 private:
  Status scale_activations(const std::vector<Node*>& nodes) {
    std::vector<Value*> order;
    std::map<Value*, std::vector<Node*>> readers;
    for (Node* node : nodes) {
      if (!block_obstacle(*node, options_.block).empty()) continue;
      if (!options_.activations->contains(node->input(0)->name())) continue;
      auto& list = readers[node->input(0)];
      if (list.empty()) order.push_back(node->input(0));
      list.push_back(node);
    }
    for (Value* value : order) TARMAC_CHECK_OK(scale_activation(*value, readers.at(value)));
    return {};
  }

  /// Finds the scale for all products that read the value, and puts it into the graph.
  Status scale_activation(Value& value, const std::vector<Node*>& readers) {
    const ActivationProfile& profile = options_.activations->at(value.name());
    std::vector<std::vector<float>> weights;
    std::vector<ProductMatrix> matrices;
    bool own_weights = true;
    for (Node* node : readers) {
      TARMAC_TRY(weights.emplace_back(), finite_weights(*node));
      if (layout_of(*node).rows != profile.mean_abs.size()) {
        return make_error(ErrorCode::kInvalidInput, "the profile is of another activation", value.name());
      }
      for (const Use& use : node->input(1)->uses())
        own_weights = own_weights && std::find(readers.begin(), readers.end(), use.node) != readers.end();
    }
    for (std::size_t i = 0; i < readers.size(); ++i) matrices.push_back({weights[i], layout_of(*readers[i])});
    const AwareChoice choice = choose_scale(profile, matrices, own_weights);
    for (std::size_t i = 0; i < readers.size(); ++i) {
      Aware& aware = aware_[readers[i]];
      aware.figures = choice.matrices[i];
      if (aware.figures.narrow) aware.importance = importance(profile, choice.scale);
      aware.scaled = !choice.scale.empty();
    }
    if (choice.scale.empty()) return {};
    std::map<Value*, Value*> scaled;  // a matrix that two of the products share stays shared
    for (std::size_t i = 0; i < readers.size(); ++i) {
      Node& node = *readers[i];
      Value* old = node.input(1);
      if (!scaled.contains(old)) {
        const std::size_t columns = matrices[i].layout.columns;
        for (std::size_t j = 0; j < weights[i].size(); ++j) weights[i][j] *= choice.scale[j / columns];
        scaled[old] = &graph_.add_initializer(graph_.fresh_name(old->name() + "_scaled"),
                                              Tensor::from(constant_of(old)->shape(), weights[i]));
      }
      replace_input(node, 1, scaled.at(old));
    }
    TARMAC_TRY(const bool folded, divide_channels(value, readers, choice.scale));
    for (Node* node : readers) aware_[node].folded = folded;
    return {};
  }

  Result<std::vector<float>> finite_weights(const Node& node) {
    TARMAC_TRY(std::vector<float> weights, to_floats(*constant_of(node.input(1))));
    TARMAC_CHECK_OK(check_finite(weights, node.input(1)->name()));
    return weights;
  }

  [[nodiscard]] BlockLayout layout_of(const Node& node) const {
    const Shape shape = matrix_shape(node);
    return {static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]),
            static_cast<std::size_t>(block_for(shape[0], options_.block)), options_.symmetric};
  }

  Status store_int8(Node& node, RewrittenNode& row) {
    TARMAC_CHECK_OK(int8_.store(node));
    row.became = "int8 weights per output channel";
    row.stored_bytes = stored_bytes(node);
    return {};
  }

  Status store_blocks(Node& node, RewrittenNode& row) {
    Value& original = *node.input(1);
    const BlockLayout layout = layout_of(node);
    const auto aware = aware_.find(&node);
    auto [stored, is_new] = blocks_.try_emplace(&original);
    if (is_new) {
      TARMAC_TRY(const std::vector<float> weights, finite_weights(node));
      const WeightBlocks blocks = round_blocks(
          weights, layout, aware == aware_.end() ? std::span<const float>() : aware->second.importance);
      const Shape shape = constant_of(&original)->shape();
      const Shape grid = {shape[0] / static_cast<std::int64_t>(layout.block), shape[1]};
      const auto add = [&](const char* suffix, Tensor tensor) {
        return &graph_.add_initializer(graph_.fresh_name(original.name() + suffix), std::move(tensor));
      };
      stored->second = {add("_uint4", pack_uint4(shape, blocks.codes)),
                        add("_scales", Tensor::from(grid, blocks.scales)),
                        add("_zero_points", pack_uint4(grid, blocks.zero_points))};
    }
    // One a reader: ONNX Runtime fuses no DequantizeLinear that two read.
    Value& matrix =
        graph_.add_op("DequantizeLinear", stored->second, original.name() + "_dequantized", &node);
    matrix.producer()->name = matrix.name();
    matrix.producer()->attributes.emplace("axis", std::int64_t{0});
    matrix.producer()->attributes.emplace("block_size", static_cast<std::int64_t>(layout.block));
    matrix.type = original.type;
    node.set_input(1, &matrix);
    row.became = "uint4 weights in blocks of " + std::to_string(layout.block);
    if (aware != aware_.end()) {
      row.nearest_error = aware->second.figures.nearest_error;
      row.error = aware->second.figures.error;
      if (aware->second.scaled)
        row.became +=
            aware->second.folded ? ", input scales in the weights before" : ", input scales in a Mul";
    }
    row.stored_bytes = stored_bytes(node);
    return {};
  }

  static std::uint64_t stored_bytes(const Node& node) {
    std::uint64_t bytes = 0;
    for (const Value* input : node.input(1)->producer()->inputs())
      bytes += constant_of(input)->bytes().size();
    return bytes;
  }

  /// Relu(y) as Max(y, 0), Clip(y, a, b) as Min(Max(y, a), b), where the product is read by nothing else.
  Status take_activation_apart(Node& product) {
    const Value& output = *product.output(0);
    if (!has_one_reader(output)) return {};
    Node& activation = *output.uses().front().node;
    if (&activation.graph() != &graph_) return {};
    if (activation.is("Relu")) {
      activation.op_type = "Max";
      activation.add_input(
          &graph_.add_initializer(graph_.fresh_name("zero"), Tensor::from<float>({}, std::vector{0.0F})));
    } else if (activation.is("Clip")) {
      Value* const low = activation.input(1);
      Value* const high = activation.input(2);
      if (low == nullptr || high == nullptr) {
        if (low == nullptr && high == nullptr) return {};
        activation.op_type = low != nullptr ? "Max" : "Min";
        activation.truncate_inputs(1);
        activation.add_input(low != nullptr ? low : high);
        return {};
      }
      Value& raised =
          graph_.add_op("Max", {activation.input(0), low}, output.name() + "_raised", &activation);
      raised.producer()->name = raised.name();
      raised.type = output.type;
      activation.op_type = "Min";
      activation.truncate_inputs(1);
      activation.set_input(0, &raised);
      activation.add_input(high);
    }
    return {};
  }

  struct Aware {
    AwareChoice::Figures figures;
    std::vector<float> importance;  // empty: ranges as they are
    bool scaled = false;
    bool folded = false;
  };

  Model& model_;
  Graph& graph_;
  const WeightOptions& options_;
  Int8Weights int8_;
  std::map<const Node*, Aware> aware_;
  std::map<const Value*, std::vector<Value*>> blocks_;  // codes, scales, zero points of a matrix
};

Status check_options(const Model& model, const WeightOptions& options) {
  if (options.bits != 8 && options.bits != 4)
    return make_error(ErrorCode::kUsage, "weights have 8 or 4 bits, not " + std::to_string(options.bits));
  if (options.block < kLeastBlock || !std::has_single_bit(static_cast<std::uint64_t>(options.block))) {
    return make_error(ErrorCode::kUsage, "expected a power of two of at least " +
                                             std::to_string(kLeastBlock) + " for the block, found " +
                                             std::to_string(options.block));
  }
  const std::int64_t needed = opset_for_weights(options.bits);
  if (model.opset() >= needed) return {};
  return make_error(ErrorCode::kUnsupported, "the model is of opset " + std::to_string(model.opset()) +
                                                 ", weights of " + std::to_string(options.bits) +
                                                 " bits need " + std::to_string(needed) +
                                                 "; move it there with tarmac optimize --opset");
}

}  // namespace

std::int64_t opset_for_weights(int bits) { return bits == 4 ? 21 : 13; }

std::vector<Node*> products_for_blocks(const Model& model) {
  std::vector<Node*> nodes = nodes_of(model, weighted_nodes(model));
  std::erase_if(nodes, [](const Node* node) { return !block_obstacle(*node, kLeastBlock).empty(); });
  return nodes;
}

Result<std::vector<RewrittenNode>> quantize_weights(Model& model, const WeightOptions& options) {
  TARMAC_CHECK_OK(check_options(model, options));
  TARMAC_TRY(std::vector<RewrittenNode> report, WeightQuantizer(model, options).run());
  PassContext context;
  TARMAC_CHECK_OK(eliminate_dead_code(model, context));
  return report;
}

}  // namespace tarmac
