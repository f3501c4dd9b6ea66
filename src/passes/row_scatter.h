// Rows written to, or added to, the rows of a map of zeros, as exporters write index_add, scatter_add,
// index_put and canvas[:, index] = rows: ScatterElements and ScatterND in several forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "passes/lettered_layout.h"

namespace tarmac {

struct RowScatter {
  Node* node = nullptr;
  std::int64_t cells = 0;
  std::int64_t channels = 0;
  Value* index = nullptr;    ///< [P] or [P, 1] or [1, P]: the cell of each row
  Value* updates = nullptr;  ///< [P, C], or [C, P] where `channels_first`
  bool channels_first = false;
  bool adds = false;  ///< else the last row of a cell stays
};

/// Nothing where `scatter` does something else.
std::optional<RowScatter> match_row_scatter(Node& scatter, const SymbolicShapes& shapes);

/// What the map becomes, past the Reshape and Transpose behind it: [B, C, H, W] or [B, C, Z, H, W].
struct ScatteredMap {
  Value* value = nullptr;
  std::int64_t batch = 1, z = 1, height = 0, width = 0;
};
std::optional<ScatteredMap> find_map(const RowScatter& scatter, const SymbolicShapes& shapes);

/// The value as a list [P] put before `before`; itself where it is one, or comes from one.
Value* as_list(Value* value, Node& before, SymbolicShapes& shapes);

/// A constant of zeros, or a computed one of constant size.
bool is_zeros(const Value* value);

}  // namespace tarmac
