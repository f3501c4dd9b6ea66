#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/file.h"
#include "base/sha256.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

std::string tensor_key(const Tensor& tensor) {
  std::string key = std::string(to_string(tensor.dtype())) + to_string(tensor.shape());
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.strings()) key += std::to_string(text.size()) + ":" + text;
    return key;
  }
  const auto bytes = tensor.bytes();
  if (bytes.size() <= 64) return key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return key + to_hex(sha256(bytes));
}

/// Text that is equal for equal attributes; empty when the node must not be merged.
struct AttributeKey {
  std::string operator()(std::int64_t value) const { return "i" + std::to_string(value); }
  std::string operator()(float value) const {
    return std::string("f").append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string operator()(const std::string& value) const { return "s" + value; }
  std::string operator()(const Tensor& value) const { return "t" + tensor_key(value); }
  std::string operator()(const Type& value) const { return "y" + to_string(value); }
  template <typename T>
  std::string operator()(const std::vector<T>& values) const {
    std::string key = "[";
    for (const T& value : values) {
      const std::string one = (*this)(value);
      if (one.empty()) return {};
      key += std::to_string(one.size()) + ":" + one;
    }
    return key;
  }
  std::string operator()(const AttributeReference& value) const { return "r" + value.name; }
  std::string operator()(const GraphPtr&) const { return {}; }
  std::string operator()(const OpaqueAttribute& value) const { return "o" + value.proto; }
};

std::string node_key(const Node& node) {
  std::string key =
      node.domain + "\n" + node.op_type + "\n" + node.overload + "\n" + std::to_string(node.outputs().size());
  for (const Value* output : node.outputs()) key += output == nullptr ? "-" : "+";
  for (const Value* input : node.inputs())
    key += "\n" + std::to_string(reinterpret_cast<std::uintptr_t>(input));
  for (const auto& [name, attribute] : node.attributes) {
    const std::string value = std::visit(AttributeKey{}, attribute);
    if (value.empty()) return {};
    key += "\n" + name + "=" + std::to_string(value.size()) + ":" + value;
  }
  return key;
}

/// Equal for equal tensors. Large ones are looked at in a few places only: weights of a gigabyte need not be
/// read to see that they differ.
std::string sample_key(const Tensor& tensor) {
  constexpr std::size_t kPieceBytes = 32;
  constexpr std::size_t kPieces = 8;
  const auto bytes = tensor.bytes();
  if (tensor.dtype() == DType::kString || bytes.size() <= kPieceBytes * kPieces) return tensor_key(tensor);
  std::string key = std::string(to_string(tensor.dtype())) + to_string(tensor.shape());
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::size_t offset = (bytes.size() - kPieceBytes) / (kPieces - 1) * i;
    key.append(reinterpret_cast<const char*>(bytes.data() + offset), kPieceBytes);
  }
  return key;
}

void merge_initializers(Graph& graph, PassContext& context) {
  std::unordered_map<std::string, std::vector<Value*>> seen;
  const std::vector<Value*> initializers = graph.initializers();
  for (Value* value : initializers) {
    if (value->is_input() || value->is_output()) continue;
    const Tensor& tensor = *value->initializer();
    std::vector<Value*>& candidates = seen[sample_key(tensor)];
    release_pages(tensor.bytes());
    const auto same = std::find_if(candidates.begin(), candidates.end(), [&](const Value* candidate) {
      const bool equal = identical(*candidate->initializer(), tensor);
      release_pages(candidate->initializer()->bytes());
      release_pages(tensor.bytes());
      return equal;
    });
    if (same == candidates.end()) {
      candidates.push_back(value);
      continue;
    }
    context.changes.push_back(
        {context.pass, value->name(), "same content as initializer '" + (*same)->name() + "'"});
    graph.replace_uses(*value, **same);
    graph.erase(*value);
  }
}

void merge_nodes(Graph& graph, PassContext& context) {
  std::map<std::string, Node*> first;
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    node->for_each_subgraph([&](Graph& nested) {
      merge_initializers(nested, context);
      merge_nodes(nested, context);
    });
    if (draws_random_numbers(*node)) continue;
    const std::string key = node_key(*node);
    if (key.empty()) continue;
    const auto [it, fresh] = first.try_emplace(key, node);
    if (fresh) continue;
    Node& kept = *it->second;
    bool gone = true;
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      if (node->output(i) != nullptr) gone = graph.replace_uses(*node->output(i), *kept.output(i)) && gone;
    }
    if (!gone) continue;  // both feed model outputs
    context.changed(*node, "computes the same as '" + kept.label() + "'");
    graph.erase(*node);
  }
}

}  // namespace

Status eliminate_common_subexpressions(Model& model, PassContext& context) {
  merge_initializers(*model.graph, context);
  merge_nodes(*model.graph, context);
  return {};
}

}  // namespace tarmac
