// Attention over projections [B, S, H·D], with the Reshapes and Transposes that split and join the heads
// taken in.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "passes/attention_match.h"
#include "passes/axis_layout.h"

namespace tarmac {

/// A [B, S, H·D] tensor, as part `part` of `parts` equal ones along the last axis of Transpose(value,
/// permutation).
struct HeadSource {
  Value* value = nullptr;
  std::vector<std::int64_t> permutation;  ///< empty: value as it is
  std::int64_t parts = 1;
  std::int64_t part = 0;
};

/// `replaced` = Reshape(Transpose(attention, permutation), shape), where `shape` and `permutation` may be
/// absent.
struct HeadResult {
  Value* replaced = nullptr;
  std::vector<std::int64_t> permutation;
  Value* shape = nullptr;
  int transposes = 0;  ///< between the product and `replaced`
};

struct HeadForm {
  std::int64_t query_heads = 1;
  std::int64_t key_heads = 1;  ///< of key and value
  double scale = 1.0;
  SymbolicDim query_length = SymbolicDim::of(1);
  SymbolicDim key_length = SymbolicDim::of(1);
  HeadSource query, key, value;
  HeadResult result;
  int added_transposes = 0;  ///< how many more there are after the fusion than before
};

/// Nothing where heads are arranged otherwise, or would cost more nodes than they save.
std::optional<HeadForm> find_head_form(const AttentionCore& core, const SymbolicShapes& shapes);

/// The same for the operator over 4-D tensors.
int added_transposes(const AttentionCore& core);

/// Whether as many Transposes are worth it. They are not with few keys: what the fusion saves are passes over
/// the scores.
bool worth_transposing(int added_transposes, const SymbolicDim& keys);

/// Whether Q, K and V as 4-D tensors have certainly the same batch, and as many heads, or query heads a
/// multiple of the others: MatMul would broadcast them, the operator does not.
bool agree_in_batch_and_heads(const SymbolicShape& query, const SymbolicShape& key,
                              const SymbolicShape& value);

}  // namespace tarmac
