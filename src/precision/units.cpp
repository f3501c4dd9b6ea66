#include "precision/units.h"

#include <algorithm>
#include <array>
#include <map>

#include "precision/control_flow.h"
#include "precision/minimum_cut.h"

namespace tarmac {
namespace {

constexpr std::array<const char*, 12> kHeavy = {
    "Conv",       "ConvTranspose",      "MatMul",     "Gemm", "Einsum", "LSTM", "GRU", "RNN", "Attention",
    "DeformConv", "MultiHeadAttention", "FusedMatMul"};
/// They move no data, so neither precision gains anything.
constexpr std::array<const char*, 5> kViews = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"};

template <std::size_t n>
bool among(const std::array<const char*, n>& names, const Node& node) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return node.op_type == name; });
}

std::int64_t cost_of(const Node& node) {
  if (among(kHeavy, node)) return kHeavyNodeCost;
  return among(kViews, node) ? 0 : kCheapNodeCost;
}

/// It reads the shape only.
bool ignores_numbers(const Node& node) { return node.is("Shape") || node.is("Size"); }

bool any_float32(const Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(), is_float32) ||
         std::any_of(node.outputs().begin(), node.outputs().end(), is_float32);
}

}  // namespace

PrecisionUnits::PrecisionUnits(const Model& model, DType type) : slots_(model, type) {
  add({PrecisionUnit::Kind::kFloat32, nullptr, nullptr, 0, 0, true, {}});
  for (const Value* input : model.graph->inputs()) {
    if (is_float32(input))
      set_producer(input, add({PrecisionUnit::Kind::kInput, nullptr, input, 0, 0, false, {}}));
  }
  visit(*model.graph, false);
  for (std::size_t i = 0; i < model.graph->outputs().size(); ++i) {
    const Value* output = model.graph->outputs()[i];
    // What is input and output at once has one type.
    const bool passed_on = output->is_input();
    outputs_.push_back(!is_float32(output) ? kNone
                       : passed_on         ? producers_.at(output)
                                   : add({PrecisionUnit::Kind::kOutput, nullptr, output, i, 0, false, {}}));
  }
  collect_edges(*model.graph);
}

int PrecisionUnits::add(PrecisionUnit unit) {
  units_.push_back(std::move(unit));
  return static_cast<int>(units_.size()) - 1;
}

void PrecisionUnits::pin(int unit, const std::string& reason) {
  PrecisionUnit& pinned = units_.at(static_cast<std::size_t>(unit));
  if (pinned.pinned) return;
  pinned.pinned = true;
  pinned.reason = reason;
}

void PrecisionUnits::set_reader(const Node& node, std::size_t i, int unit) {
  auto& readers = readers_[&node];
  if (readers.size() <= i) readers.resize(node.inputs().size(), kNone);
  readers[i] = unit;
}

void PrecisionUnits::set_producer(const Value* value, int unit) {
  if (value != nullptr) producers_[value] = unit;
}

void PrecisionUnits::set_border(const Graph& graph, std::size_t i, int unit) {
  auto& border = borders_[&graph];
  border.resize(graph.outputs().size(), kNone);
  border[i] = unit;
}

int PrecisionUnits::producer(const Value& value) const {
  if (constant_of(&value) != nullptr) return kNone;
  const auto it = producers_.find(&value);
  return it == producers_.end() ? kNone : it->second;
}

int PrecisionUnits::reader(const Node& node, std::size_t i) const {
  const auto it = readers_.find(&node);
  return it == readers_.end() || i >= it->second.size() ? kNone : it->second[i];
}

int PrecisionUnits::border(const Graph& graph, std::size_t i) const {
  const auto it = borders_.find(&graph);
  return it == borders_.end() ? kNone : it->second[i];
}

int PrecisionUnits::unit_of(const Node& node) const {
  const auto it = nodes_.find(&node);
  return it == nodes_.end() ? kNone : it->second;
}

void PrecisionUnits::visit(const Graph& graph, bool fixed) {
  for (const auto& node : graph.nodes()) visit_node(*node, fixed);
}

void PrecisionUnits::visit_node(const Node& node, bool fixed) {
  if (constant_of(node.output(0)) != nullptr) return;
  if (!fixed && !runs_as_one_piece(node)) {
    if (node.is("If")) return visit_if(node);
    if (node.is("Loop")) return visit_loop(node);
  }
  if (node.is("Constant")) {  // of another form than a tensor: a single float or a list of them
    if (is_float32(node.output(0))) set_producer(node.output(0), 0);
    return;
  }
  const bool whole = fixed || runs_as_one_piece(node);
  int unit = kNone;
  const auto node_unit = [&] {
    if (unit == kNone) {
      unit = add({PrecisionUnit::Kind::kNode, &node, nullptr, 0, cost_of(node), false, {}});
      nodes_[&node] = unit;
    }
    return unit;
  };
  for (std::size_t i = 0; i < node.inputs().size(); ++i) {
    if (!is_float32(node.input(i)) || ignores_numbers(node)) continue;
    set_reader(node, i, !whole && slots_.input_may_be(node, i) ? node_unit() : 0);
  }
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    if (!is_float32(node.output(i))) continue;
    set_producer(node.output(i), !whole && slots_.output_may_be(node, i) ? node_unit() : 0);
  }
  if (whole) {
    node.for_each_subgraph([&](const Graph& nested) {
      // Borders of a graph in one piece: float32 on both sides.
      for (const Value* input : nested.inputs()) {
        if (is_float32(input)) set_producer(input, 0);
      }
      visit(nested, true);
    });
  }
  if (unit == kNone && any_float32(node) && !ignores_numbers(node)) {
    fixed_.emplace_back(&node,
                        whole ? "sequences, optionals and the body of a " + node.op_type + " stay as they are"
                              : slots_.obstacle(node));
  }
}

void PrecisionUnits::visit_if(const Node& node) {
  std::vector<const Graph*> branches;
  node.for_each_subgraph([&](const Graph& nested) {
    visit(nested, false);
    branches.push_back(&nested);
  });
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    bool is_float = is_float32(node.output(i));
    for (const Graph* branch : branches) is_float = is_float || is_float32(branch->outputs()[i]);
    if (!is_float) continue;
    const int unit = slots_.output_may_be(node, i)
                         ? add({PrecisionUnit::Kind::kBorder, &node, node.output(i), 0, 0, false, {}})
                         : 0;
    set_producer(node.output(i), unit);
    for (const Graph* branch : branches) set_border(*branch, i, unit);
  }
}

void PrecisionUnits::visit_loop(const Node& node) {
  const Graph& body = **node.attribute<GraphPtr>("body");
  const std::size_t carried = body.inputs().size() - 2;
  for (std::size_t i = 0; i + 1 < body.outputs().size(); ++i) {
    const Value* result = body.outputs()[1 + i];
    const Value* inside = i < carried ? body.inputs()[2 + i] : nullptr;
    const Value* before = i < carried ? node.input(2 + i) : nullptr;
    if (!is_float32(result) && !is_float32(inside) && !is_float32(before) && !is_float32(node.output(i)))
      continue;
    const int unit = slots_.output_may_be(node, i)
                         ? add({PrecisionUnit::Kind::kBorder, &node, result, 0, 0, false, {}})
                         : 0;
    set_producer(node.output(i), unit);
    set_border(body, 1 + i, unit);
    if (i >= carried) continue;
    set_producer(inside, unit);
    set_reader(node, 2 + i, unit);
  }
  visit(body, false);
}

void PrecisionUnits::collect_edges(const Graph& graph) {
  std::map<const Value*, std::vector<int>> touching;
  const auto touch = [&](const Value* value, int unit) {
    if (value == nullptr || unit == kNone || producer(*value) == kNone) return;
    auto& units = touching[value];
    if (units.empty()) units.push_back(producer(*value));
    if (std::find(units.begin(), units.end(), unit) == units.end()) units.push_back(unit);
  };
  const std::function<void(const Graph&)> walk = [&](const Graph& from) {
    for (const auto& node : from.nodes()) {
      for (std::size_t i = 0; i < node->inputs().size(); ++i) touch(node->input(i), reader(*node, i));
      node->for_each_subgraph(walk);
    }
    for (std::size_t i = 0; i < from.outputs().size(); ++i)
      touch(from.outputs()[i], from.parent() == nullptr ? outputs_[i] : border(from, i));
  };
  walk(graph);
  for (auto& [value, units] : touching) {
    if (units.size() > 1) edges_.push_back(std::move(units));
  }
}

/// A value needs a cast exactly when the units at it are not all alike, so the casts are the cut hyperedges
/// of a two-way partition, and the cheapest partition is a minimum cut (each hyperedge as two nodes with the
/// cast's cost between them; Lawler 1973). Where costs are equal, more is 16-bit.
std::vector<bool> PrecisionUnits::choose() const {
  const std::size_t first = 2;  // after source (float32) and sink (16 bits)
  MinimumCut cut(first + units_.size() + 2 * edges_.size());
  for (std::size_t u = 0; u < units_.size(); ++u) {
    if (units_[u].pinned) {
      cut.add_edge(0, first + u, MinimumCut::kUncuttable);
      continue;
    }
    const bool wanted_small =
        units_[u].kind == PrecisionUnit::Kind::kInput || units_[u].kind == PrecisionUnit::Kind::kOutput;
    if (wanted_small)
      cut.add_edge(first + u, 1, MinimumCut::kUncuttable);
    else if (units_[u].cost > 0)
      cut.add_edge(first + u, 1, units_[u].cost);
  }
  std::size_t at = first + units_.size();
  for (const auto& edge : edges_) {
    for (const int u : edge) {
      cut.add_edge(first + static_cast<std::size_t>(u), at, MinimumCut::kUncuttable);
      cut.add_edge(at + 1, first + static_cast<std::size_t>(u), MinimumCut::kUncuttable);
    }
    cut.add_edge(at, at + 1, kCastCost);
    at += 2;
  }
  const std::vector<bool> side = cut.source_side();
  return {side.begin() + first, side.begin() + static_cast<std::ptrdiff_t>(first + units_.size())};
}

std::size_t PrecisionUnits::casts(const std::vector<bool>& float32) const {
  std::size_t count = 0;
  for (const auto& edge : edges_) {
    const bool front = float32[static_cast<std::size_t>(edge.front())];
    count += std::any_of(edge.begin(), edge.end(),
                         [&](int u) { return float32[static_cast<std::size_t>(u)] != front; })
                 ? 1
                 : 0;
  }
  return count;
}

}  // namespace tarmac
