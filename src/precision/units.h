// What gets one precision together: a node, or a value that crosses the border of a nested graph.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "precision/float_slots.h"

namespace tarmac {

/// Chooses between float32 and the 16-bit type as one.
struct PrecisionUnit {
  enum class Kind : std::uint8_t { kFloat32, kNode, kInput, kOutput, kBorder };
  Kind kind = Kind::kNode;
  const Node* node = nullptr;    ///< of kNode and kBorder
  const Value* value = nullptr;  ///< of kInput, kOutput and kBorder
  std::size_t output = 0;        ///< of kOutput: its index
  /// What float32 here costs in the units of one cast (kCastCost).
  std::int64_t cost = 0;
  bool pinned = false;  ///< to float32
  std::string reason;   ///< why
};

/// A cast reads 4 and writes 2 bytes an element; an elementwise node in 16 bits saves 4 or more: 6 to 4. So
/// between float32 neighbours an island of up to three such nodes costs more casts than it gains.
inline constexpr std::int64_t kCastCost = 3;
inline constexpr std::int64_t kCheapNodeCost = 2;
/// Convolutions and matrix products gain more than any number of casts costs.
inline constexpr std::int64_t kHeavyNodeCost = 3000;

/// The units of a model: unit 0 is float32 always, for slots that know nothing else. Inputs and outputs of If
/// and Loop bodies are units of their own that all sides share, so that types agree across the border. What
/// runs in one piece (Scan, sequences), and operators without such a type in their schema, are unit 0.
class PrecisionUnits {
 public:
  /// No unit: not a float32 tensor, or one whose type does not matter (a constant, a reader of the shape).
  static constexpr int kNone = -1;

  PrecisionUnits(const Model& model, DType type);

  [[nodiscard]] const std::vector<PrecisionUnit>& units() const { return units_; }
  /// Keeps a unit in float32. The first reason stays.
  void pin(int unit, const std::string& reason);
  void unpin(int unit) { units_.at(static_cast<std::size_t>(unit)).pinned = false; }
  /// The unit that decides as what the value is stored.
  [[nodiscard]] int producer(const Value& value) const;
  /// The unit that decides as what the node reads input `i`.
  [[nodiscard]] int reader(const Node& node, std::size_t i) const;
  /// The unit of model output `i`.
  [[nodiscard]] int output(std::size_t i) const { return outputs_[i]; }
  /// The unit of output `i` of a nested graph; kNone for the main graph's.
  [[nodiscard]] int border(const Graph& graph, std::size_t i) const;
  /// The unit of a node itself; kNone when it has no float32 slot that can change.
  [[nodiscard]] int unit_of(const Node& node) const;
  /// Nodes with float32 tensors that stay float32 because of what they are, with the reason.
  [[nodiscard]] const std::vector<std::pair<const Node*, std::string>>& fixed() const { return fixed_; }

  /// For each value, the different units that produce and read it: those of unlike precision need a cast.
  [[nodiscard]] const std::vector<std::vector<int>>& edges() const { return edges_; }
  /// Which units are float32 so that casts and lost gains together cost least; pinned ones are.
  [[nodiscard]] std::vector<bool> choose() const;
  /// Casts that this choice needs.
  [[nodiscard]] std::size_t casts(const std::vector<bool>& float32) const;

 private:
  int add(PrecisionUnit unit);
  void visit(const Graph& graph, bool fixed);
  void visit_node(const Node& node, bool fixed);
  void visit_if(const Node& node);
  void visit_loop(const Node& node);
  void set_reader(const Node& node, std::size_t i, int unit);
  void set_producer(const Value* value, int unit);
  void set_border(const Graph& graph, std::size_t i, int unit);
  void collect_edges(const Graph& graph);

  FloatSlots slots_;
  std::vector<PrecisionUnit> units_;
  std::unordered_map<const Value*, int> producers_;
  std::unordered_map<const Node*, std::vector<int>> readers_;
  std::unordered_map<const Node*, int> nodes_;
  std::unordered_map<const Graph*, std::vector<int>> borders_;
  std::vector<int> outputs_;
  std::vector<std::pair<const Node*, std::string>> fixed_;
  std::vector<std::vector<int>> edges_;
};

}  // namespace tarmac
