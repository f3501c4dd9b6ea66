#include "graph/pattern.h"

#include <algorithm>
#include <array>

namespace tarmac {

struct PatternNode {
  enum class Kind : std::uint8_t { kAny, kConstant, kOp };
  Kind kind = Kind::kAny;
  std::string name;
  std::string op_type;
  std::vector<Pattern> inputs;
  bool sole = false;
  std::function<bool(const Node&)> condition;
};

Pattern any(std::string name) {
  PatternNode node;
  node.name = std::move(name);
  return std::make_shared<const PatternNode>(std::move(node));
}

Pattern constant(std::string name) {
  PatternNode node;
  node.kind = PatternNode::Kind::kConstant;
  node.name = std::move(name);
  return std::make_shared<const PatternNode>(std::move(node));
}

Pattern op(std::string op_type, std::vector<Pattern> inputs, std::string name) {
  PatternNode node;
  node.kind = PatternNode::Kind::kOp;
  node.op_type = std::move(op_type);
  node.inputs = std::move(inputs);
  node.name = std::move(name);
  return std::make_shared<const PatternNode>(std::move(node));
}

Pattern sole_op(std::string op_type, std::vector<Pattern> inputs, std::string name) {
  PatternNode node = *op(std::move(op_type), std::move(inputs), std::move(name));
  node.sole = true;
  return std::make_shared<const PatternNode>(std::move(node));
}

Pattern where(Pattern inner, std::function<bool(const Node&)> condition) {
  PatternNode node = *inner;
  if (node.condition) {
    node.condition = [first = std::move(node.condition), second = std::move(condition)](const Node& candidate) {
      return first(candidate) && second(candidate);
    };
  } else {
    node.condition = std::move(condition);
  }
  return std::make_shared<const PatternNode>(std::move(node));
}

namespace {

bool commutative(const std::string& op_type) {
  static constexpr std::array<const char*, 9> kOps = {"Add", "Mul", "And", "Or", "Xor", "Max", "Min", "Sum", "Equal"};
  return std::find(kOps.begin(), kOps.end(), op_type) != kOps.end();
}

bool match_value(const PatternNode& pattern, Value* value, Match& found);

bool match_inputs(const PatternNode& pattern, const Node& node, bool swapped, Match& found) {
  for (std::size_t i = 0; i < pattern.inputs.size(); ++i) {
    if (!match_value(*pattern.inputs[i], node.input(swapped ? 1 - i : i), found)) return false;
  }
  return true;
}

bool bind(const std::string& name, Value* value, Match& found) {
  if (name.empty()) return true;
  return found.values.try_emplace(name, value).first->second == value;
}

bool match_value(const PatternNode& pattern, Value* value, Match& found) {
  if (value == nullptr) return false;
  switch (pattern.kind) {
    case PatternNode::Kind::kAny: return bind(pattern.name, value, found);
    case PatternNode::Kind::kConstant: return constant_of(value) != nullptr && bind(pattern.name, value, found);
    case PatternNode::Kind::kOp: break;
  }
  Node* node = value->producer();
  if (node == nullptr || value->output_index() != 0 || !node->is(pattern.op_type)) return false;
  if (node->inputs().size() < pattern.inputs.size()) return false;
  if (pattern.sole && (value->uses().size() != 1 || value->is_output())) return false;
  if (pattern.condition && !pattern.condition(*node)) return false;
  if (!bind(pattern.name, value, found)) return false;
  if (!pattern.name.empty()) found.nodes[pattern.name] = node;
  const Match before = found;
  if (match_inputs(pattern, *node, false, found)) return true;
  if (pattern.inputs.size() != 2 || node->inputs().size() != 2 || !commutative(node->op_type)) return false;
  found = before;
  return match_inputs(pattern, *node, true, found);
}

}  // namespace

std::optional<Match> match(const Pattern& pattern, Value* root) {
  Match found;
  if (!match_value(*pattern, root, found)) return std::nullopt;
  return found;
}

}  // namespace tarmac
