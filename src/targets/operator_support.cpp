#include "targets/operator_support.h"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <set>

#include "graph/clone.h"
#include "ops/registry.h"
#include "targets/known_operators.h"
#include "targets/operator_probes.h"

namespace tarmac {
namespace {

/// Weights of a probe above this size become inputs: an engine's answer does not depend on their values.
constexpr std::size_t kProbeWeightBytes = 4096;

/// The targets that run a vendor's domain.
bool is_vendor_of(const Target& target, std::string_view domain) {
  return domain.empty() || (domain == "com.microsoft" && target.name() == "onnxruntime");
}

/// What the engines said, for all callers.
class Answers {
 public:
  using Key = std::tuple<std::string, std::string, std::string, std::int64_t>;

  bool ask(Target& target, std::string_view domain, std::string_view op_type, std::int64_t version) {
    const Key key{target.name(), domain, op_type, version};
    const std::lock_guard lock(mutex_);
    if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
    if (domain.empty() && is_known_to_run(target.version(), op_type, version)) return answers_[key] = true;
    const auto probe = operator_probe(domain, op_type, version);
    return answers_[key] = probe && target.knows(*probe);
  }

 private:
  std::mutex mutex_;
  std::map<Key, bool> answers_;
};

Answers& answers() {
  static Answers all;
  return all;
}

/// One model for the node alone, its large weights as inputs.
Model single(const Model& model, const Node& node) {
  std::vector<const Value*> outputs;
  for (const Value* output : node.outputs()) {
    if (output != nullptr) outputs.push_back(output);
  }
  Model part = extract_nodes(model, {&node}, outputs);
  Graph& graph = *part.graph;
  const std::vector<Value*> weights = graph.initializers();
  for (Value* weight : weights) {
    if (weight->initializer()->bytes().size() <= kProbeWeightBytes) continue;
    const std::string name = weight->name();
    Value& input = graph.add_input(graph.fresh_name(name + "_input"), weight->type);
    graph.replace_uses(*weight, input);
    graph.erase(*weight);
  }
  return part;
}

/// Nodes of equal operator and input types are asked about once.
std::string kind_of(const Node& node) {
  std::string kind = node.op_type;
  for (const Value* input : node.inputs())
    kind += "," + (input == nullptr ? std::string() : to_string(input->type.dtype));
  return kind;
}

/// Whether the node can be asked about alone: all that it reads has a known type, and it nests no graph.
bool stands_alone(const Node& node) {
  bool has_subgraph = false;
  node.for_each_subgraph([&](Graph&) { has_subgraph = true; });
  return !has_subgraph && std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* input) {
    return input == nullptr || (input->type.is_tensor() && input->type.dtype != DType::kUndefined);
  });
}

bool reads_float32(const Node& node) {
  return std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* input) {
    return input == nullptr || input->type.dtype == DType::kFloat32;
  });
}

/// Whether an upgrade may have cost an engine the operator: a new definition needs a new kernel, and where
/// ONNX defines it by others, engines without a kernel use that up to some opset.
bool may_be_lost(const std::string& op_type, std::int64_t before, std::int64_t after) {
  const auto* old_schema = onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(before), "");
  const auto* schema = onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(after), "");
  return old_schema == nullptr || schema == nullptr ||
         old_schema->since_version() != schema->since_version() || schema->HasFunction() ||
         schema->HasContextDependentFunction();
}

}  // namespace

const std::vector<SlowOperator>& slow_operators() {
  static const std::vector<SlowOperator> operators = {
      {"", "Swish", "onnxruntime",
       "has no kernel and becomes Mul, Sigmoid and Mul: 1.7 times the time of x·Sigmoid(x)"},
      {"com.microsoft", "EmbedLayerNormalization", "onnxruntime",
       "1.6 to 1.8 times the time of its embeddings, Add and LayerNormalization on the CPU"},
      {"com.microsoft", "SkipLayerNormalization", "onnxruntime",
       "4 to 7 times the time of Add and LayerNormalization on the CPU"},
      {"com.microsoft", "SkipSimplifiedLayerNormalization", "onnxruntime",
       "1.3 to 2.5 times the time of Add and RMSNormalization on the CPU"},
  };
  return operators;
}

bool TargetSupport::accepts(std::string_view domain, std::string_view op_type,
                            std::int64_t opset_version) const {
  if (domain == ops::kDomain) {
    const ops::Operator* op = ops::find_operator(domain, op_type, opset_version);
    return op != nullptr && !targets_.empty() &&
           std::all_of(targets_.begin(), targets_.end(),
                       [&](const Target* target) { return target->runs(*op); });
  }
  const auto accepts_one = [&](Target* target) {
    const auto& slow = slow_operators();
    const bool is_slow = std::any_of(slow.begin(), slow.end(), [&](const SlowOperator& entry) {
      return entry.domain == domain && entry.op_type == op_type && entry.target == target->name();
    });
    return !is_slow && is_vendor_of(*target, domain) &&
           answers().ask(*target, domain, op_type, opset_version);
  };
  return !targets_.empty() && std::all_of(targets_.begin(), targets_.end(), accepts_one);
}

Status TargetSupport::accepts_changed(const Model& model, std::int64_t old_opset) const {
  Status status;
  std::set<std::string> asked;
  for_each_node(*model.graph, [&](const Node& node) {
    if (!status || !node.domain.empty() || !stands_alone(node) ||
        !may_be_lost(node.op_type, old_opset, model.opset()) || !asked.insert(kind_of(node)).second) {
      return;
    }
    const Model part = single(model, node);
    for (Target* target : targets_) {
      if (reads_float32(node) && is_known_to_run(target->version(), node.op_type, model.opset())) continue;
      const Status answer = target->knows(part);
      if (answer) continue;
      status = make_error(ErrorCode::kUnsupported,
                          target->name() + " does not run " + node.op_type + " of opset " +
                              std::to_string(model.opset()) + ": " + answer.error().message,
                          node.label());
      return;
    }
  });
  return status;
}

std::vector<Target*> available_targets() {
  std::vector<Target*> targets;
  for (Target* target : all_targets()) {
    if (target->name() != "null" && !target->version().empty()) targets.push_back(target);
  }
  return targets;
}

}  // namespace tarmac
