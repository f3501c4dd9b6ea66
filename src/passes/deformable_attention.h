// Multi-scale deformable attention as PyTorch's exporters decompose it: one GridSample a level, the samples
// multiplied by weights and added up (mmcv, Deformable DETR, BEVFormer, RT-DETRv2), in any layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "passes/lettered_layout.h"

namespace tarmac {

struct AttentionLevel {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t start = 0;  ///< row of the value where the level begins
};

/// The levels where their sizes are constant and lie one after the other, or where `starts` says; else none.
std::vector<AttentionLevel> constant_levels(const Value* shapes, const Value* starts);

/// Letters: B batch, Q queries, M heads, D channels a head, L levels, P points, S rows of all levels, X (x,
/// y).
struct DeformableAttention {
  std::vector<AttentionLevel> levels;
  std::int64_t heads = 1;
  std::int64_t depth = 0;
  std::int64_t points = 0;
  LetteredLayout value;     ///< to be arranged as B, S, M, D
  LetteredLayout sampling;  ///< of the first level's grid, or of the locations themselves
  bool from_grid = true;    ///< the former: steps with factor 2 and offset -1 hold locations
  LetteredLayout weights;   ///< to be arranged as B, Q, M, L, P
  LetteredLayout result;    ///< from the samples on; `sum` and what follows it can be replaced
  std::size_t sum = 0;      ///< index of the step after the sum over levels and points
  /// Where it is the operator already: what that does beside the core stays.
  Node* call = nullptr;
};

/// Axes of several letters each, such as {"B", "S", "M", "D"}, as atoms.
std::vector<AtomGroup> axes_of_letters(const LetteredLayout& layout, const std::vector<std::string>& axes);
/// What only moves the data of the result joins its layout.
void follow_result(LetteredLayout& result, const Graph& graph, const SymbolicShapes& shapes);
/// Whether the step holds locations from 0 to 1: the traced grid is 2 · step - 1.
bool holds_locations(const LayoutStep& step, bool from_grid);
/// The step of the sampling locations that comes closest to `wanted`; null where there is none.
const LayoutStep* location_step(const LetteredLayout& sampling, bool from_grid,
                                const std::vector<AtomGroup>& wanted);

/// Backwards from the sum over levels and points. `why`: set where something samples maps by a grid and adds
/// up, but is not this attention.
std::optional<DeformableAttention> match_deformable_attention(const Node& sum, const SymbolicShapes& shapes,
                                                              std::string& why);

/// A node of the operator itself, as an exporter wrote it. Nothing where its levels or sizes are not
/// constant.
std::optional<DeformableAttention> read_deformable_attention(Node& call, const SymbolicShapes& shapes);

enum class ReferenceForm { kNone, kLevels, kBoxes, kPoints };

/// What the operator's definition in ONNX operators depends on.
struct AttentionDefinition {
  std::vector<AttentionLevel> levels;
  std::int64_t heads = 1;
  std::int64_t depth = 0;
  std::int64_t points = 0;
  ReferenceForm reference = ReferenceForm::kNone;
  std::int64_t reference_count = 0;  ///< references a query with kPoints
  bool softmax = false;
  bool mask = false;
  bool sampling_spread = false, weights_spread = false, references_spread = false;  ///< of a smaller batch
  DType value = DType::kFloat32, sampling = DType::kFloat32, weights = DType::kFloat32,
        references = DType::kFloat32;
  [[nodiscard]] std::string overload() const;
  /// A graph in ONNX text for opset 16 and later.
  [[nodiscard]] std::string body(std::int64_t opset) const;
};

}  // namespace tarmac
