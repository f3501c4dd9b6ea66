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

Pattern where(const Pattern& inner, std::function<bool(const Node&)> condition) {
  PatternNode node = *inner;
  if (node.condition) {
    node.condition = [first = std::move(node.condition), second = std::move(condition)](
                         const Node& candidate) { return first(candidate) && second(candidate); };
  } else {
    node.condition = std::move(condition);
  }
  return std::make_shared<const PatternNode>(std::move(node));
}

namespace {

bool commutative(const std::string& op_type) {
  static constexpr std::array<const char*, 9> kOps = {"Add", "Mul", "And", "Or",   "Xor",
                                                      "Max", "Min", "Sum", "Equal"};
  return std::find(kOps.begin(), kOps.end(), op_type) != kOps.end();
}

struct Goal {
  const PatternNode* pattern;
  Value* value;
};

/// What one way of matching has settled so far.
struct State {
  Match found;
  std::vector<Node*> nodes;  ///< matched by any op(), named or not
  std::vector<Value*> sole;  ///< whose readers must all be among `nodes`
};

bool bind(const std::string& name, Value* value, Match& found) {
  if (name.empty()) return true;
  return found.values.try_emplace(name, value).first->second == value;
}

/// Nothing outside the match reads any output of the nodes that go with it.
bool only_read_inside(const State& state) {
  const auto inside = [&](const Use& use) {
    return std::find(state.nodes.begin(), state.nodes.end(), use.node) != state.nodes.end();
  };
  return std::all_of(state.sole.begin(), state.sole.end(), [&](const Value* value) {
    const auto& outputs = value->producer()->outputs();
    return std::all_of(outputs.begin(), outputs.end(), [&](const Value* output) {
      return output == nullptr ||
             (!output->is_output() && std::all_of(output->uses().begin(), output->uses().end(), inside));
    });
  });
}

/// Solves the last goal in every possible way until the others can be solved too.
bool solve(std::vector<Goal> goals, State state, Match& result) {
  if (goals.empty()) {
    if (!only_read_inside(state)) return false;
    result = std::move(state.found);
    return true;
  }
  const auto [pattern, value] = goals.back();
  goals.pop_back();
  if (value == nullptr) return false;
  if (pattern->kind == PatternNode::Kind::kConstant && constant_of(value) == nullptr) return false;
  if (!bind(pattern->name, value, state.found)) return false;
  if (pattern->kind != PatternNode::Kind::kOp) return solve(std::move(goals), std::move(state), result);

  Node* node = value->producer();
  if (node == nullptr || value->output_index() != 0 || !node->is(pattern->op_type)) return false;
  if (node->inputs().size() < pattern->inputs.size()) return false;
  if (pattern->condition && !pattern->condition(*node)) return false;
  state.nodes.push_back(node);
  if (pattern->sole) state.sole.push_back(value);
  if (!pattern->name.empty()) state.found.nodes[pattern->name] = node;
  const auto with_inputs = [&goals, node, pattern = pattern](bool swapped) {
    std::vector<Goal> all = goals;
    for (std::size_t i = pattern->inputs.size(); i-- > 0;) {
      all.push_back({pattern->inputs[i].get(), node->input(swapped ? 1 - i : i)});
    }
    return all;
  };
  if (solve(with_inputs(false), state, result)) return true;
  const bool can_swap = node->inputs().size() == 2 && !pattern->inputs.empty() && commutative(node->op_type);
  return can_swap && solve(with_inputs(true), std::move(state), result);
}

}  // namespace

std::optional<Match> match(const Pattern& pattern, Value* root) {
  Match found;
  if (!solve({{pattern.get(), root}}, {}, found)) return std::nullopt;
  return found;
}

}  // namespace tarmac
