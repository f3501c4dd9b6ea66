// The operator where an exporter wrote it, read as what is lifted elsewhere.
#include "passes/deformable_attention.h"
#include "passes/region.h"
#include "passes/rewrite.h"

namespace tarmac {

std::vector<AttentionLevel> constant_levels(const Value* shapes, const Value* starts) {
  const auto sizes = constant_integers(shapes);
  const auto rows = starts == nullptr ? std::nullopt : constant_integers(starts);
  if (!sizes || sizes->size() % 2 != 0 || (starts != nullptr && (!rows || rows->size() != sizes->size() / 2)))
    return {};
  std::vector<AttentionLevel> levels;
  std::int64_t next = 0;
  for (std::size_t l = 0; l < sizes->size() / 2; ++l) {
    AttentionLevel level{(*sizes)[2 * l], (*sizes)[2 * l + 1], rows ? (*rows)[l] : next};
    next += level.height * level.width;
    levels.push_back(level);
  }
  return levels;
}

std::optional<DeformableAttention> read_deformable_attention(Node& call, const SymbolicShapes& shapes) {
  const SymbolicShape* value = shapes.shape(call.input(0));
  const SymbolicShape* sampling = shapes.shape(call.input(3));
  const SymbolicShape* weights = shapes.shape(call.input(4));
  if (value == nullptr || sampling == nullptr || weights == nullptr || value->size() != 4 ||
      sampling->size() != 6 || weights->size() != 5 || !is_float_up_to_32(call.input(0)->type) ||
      !(*value)[2].known() || !(*value)[3].known() || !(*sampling)[4].known())
    return std::nullopt;
  if (call.input(5) != nullptr) {
    const SymbolicShape* references = shapes.shape(call.input(5));
    if (references == nullptr || references->size() != 4 || !(*references)[2].known() ||
        !references->back().known())
      return std::nullopt;
  }
  DeformableAttention found;
  found.call = &call;
  found.from_grid = false;
  found.levels = constant_levels(call.input(1), call.input(2));
  found.heads = (*value)[2].factor();
  found.depth = (*value)[3].factor();
  found.points = (*sampling)[4].factor();
  if (found.levels.empty() || found.heads <= 0 || found.depth <= 0 || found.points <= 0) return std::nullopt;
  const LetterAxis heads = {{'M', (*value)[2]}};
  const LetterAxis levels = {{'L', SymbolicDim::of(static_cast<std::int64_t>(found.levels.size()))}};
  const LetterAxis points = {{'P', (*sampling)[4]}};
  const auto of = [](char letter) { return LetterAxis{{letter, {}}}; };
  auto rows = LetteredLayout::make(start_layout(call.input(0), shapes), {of('B'), of('S'), heads, of('D')});
  auto locations = LetteredLayout::make(
      trace_layout(call.input(3), shapes, {.choices = false, .casts = true, .spreads = true}),
      {of('B'), of('Q'), heads, levels, points, {{'X', SymbolicDim::of(2)}}});
  auto factors = LetteredLayout::make(
      trace_layout(call.input(4), shapes, {.choices = false, .casts = true, .spreads = true}),
      {of('B'), of('Q'), heads, levels, points});
  auto result = LetteredLayout::make(start_layout(call.output(0), shapes),
                                     {of('N'), of('Q'), {{'M', (*value)[2]}, {'D', (*value)[3]}}});
  if (!rows || !locations || !factors || !result) return std::nullopt;
  found.value = *std::move(rows);
  found.sampling = *std::move(locations);
  found.weights = *std::move(factors);
  found.result = *std::move(result);
  follow_result(found.result, call.graph(), shapes);
  return found;
}

}  // namespace tarmac
