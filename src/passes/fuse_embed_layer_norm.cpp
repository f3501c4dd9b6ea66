#include <algorithm>

#include "passes/passes.h"
#include "passes/vendor_norm.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// One addend: rows of a table picked by ids, or constant rows, one for each position.
struct Addend {
  Value* table =
      nullptr;           ///< [n, hidden]; the rows themselves when ids is null: [1, n, hidden] or [n, hidden]
  Value* ids = nullptr;  ///< integers of rank 2
};

bool is_ids(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.shape && value->type.shape->size() == 2 &&
         (value->type.dtype == DType::kInt64 || value->type.dtype == DType::kInt32);
}

std::optional<Addend> take_addend(Value* value, std::int64_t hidden, Region& region) {
  if (const Tensor* rows = constant_of(value)) {
    const Shape& shape = rows->shape();
    const bool fits = rows->dtype() == DType::kFloat32 && !shape.empty() && shape.back() == hidden &&
                      (shape.size() == 2 || (shape.size() == 3 && shape[0] == 1));
    return fits ? std::optional(Addend{value, nullptr}) : std::nullopt;
  }
  const Node* gather = region.take(value, "Gather");
  if (gather == nullptr || gather->attribute_or<std::int64_t>("axis", 0) != 0) return std::nullopt;
  const Tensor* table = constant_of(gather->input(0));
  const bool fits = table != nullptr && table->dtype() == DType::kFloat32 && table->shape().size() == 2 &&
                    table->shape()[1] == hidden && is_ids(gather->input(1));
  return fits ? std::optional(Addend{gather->input(0), gather->input(1)}) : std::nullopt;
}

/// The two or three addends of the sum; empty for other sums.
std::vector<Addend> take_sum(Value* value, std::int64_t hidden, Region& region) {
  std::vector<Value*> open = {value};
  std::vector<Addend> addends;
  while (!open.empty()) {
    Value* term = open.back();
    open.pop_back();
    if (term == nullptr || addends.size() + open.size() >= 3) return {};
    if (const Node* add = region.take(term, "Add")) {
      open.insert(open.end(), {add->input(1), add->input(0)});
      continue;
    }
    const auto addend = take_addend(term, hidden, region);
    if (!addend) return {};
    addends.push_back(*addend);
  }
  return addends;
}

/// Whether `end` is the second size of a tensor with the shape of `ids`.
bool is_sequence_length(const Value* end, const Value& ids) {
  const Node* node = end == nullptr ? nullptr : end->producer();
  while (node != nullptr &&
         (node->is("Unsqueeze") || node->is("Squeeze") || node->is("Reshape") || node->is("Cast")))
    node = node->input(0) == nullptr ? nullptr : node->input(0)->producer();
  if (node == nullptr || !node->is("Gather") || node->input(0) == nullptr) return false;
  const Node* shape = node->input(0)->producer();
  if (shape == nullptr || !shape->is("Shape") || !shape->attributes.empty()) return false;
  const auto index = constant_integers(node->input(1));
  const Value* of = shape->input(0);
  return index && index->size() == 1 && (index->front() == 1 || index->front() == -1) && is_ids(of) &&
         (of == &ids || same_dim((*of->type.shape)[1], (*ids.type.shape)[1]));
}

/// Whether `positions` are 0, 1, 2, … up to the length of `ids`: a slice of stored ones, as BERT has it. The
/// operator's own default.
bool counts_up(const Value& positions, const Value& ids) {
  const Node* slice = positions.producer();
  if (slice == nullptr || !slice->is("Slice") || slice->inputs().size() < 4) return false;
  const auto stored = constant_integers(slice->input(0));
  const auto starts = constant_integers(slice->input(1));
  const auto axes = constant_integers(slice->input(3));
  const auto steps =
      slice->input(4) == nullptr ? std::vector<std::int64_t>{1} : constant_integers(slice->input(4));
  using List = std::vector<std::int64_t>;
  if (!stored || starts != List{0} || (axes != List{1} && axes != List{-1}) || steps != List{1}) return false;
  for (std::size_t i = 0; i < stored->size(); ++i) {
    if ((*stored)[i] != static_cast<std::int64_t>(i)) return false;
  }
  // A single stored position would be broadcast over longer sequences.
  return stored->size() > 1 &&
         constant_of(slice->input(0))->shape() == Shape{1, static_cast<std::int64_t>(stored->size())} &&
         is_sequence_length(slice->input(2), ids);
}

/// Which addend is which; any may be the one of positions if its shape allows.
struct Roles {
  Addend word;
  std::optional<Addend> segment;
  Addend position;
  bool position_ids = false;  ///< false: row i belongs to position i
};

std::optional<Roles> assign(const std::vector<Addend>& addends) {
  for (std::size_t i = addends.size(); i-- > 0;) {
    std::vector<Addend> others = addends;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const Addend& position = addends[i];
    const Value* ids = others[0].ids;
    if (ids == nullptr) continue;
    if (others.size() == 2) {
      const Value* more = others[1].ids;
      if (more == nullptr ||
          !std::equal(ids->type.shape->begin(), ids->type.shape->end(), more->type.shape->begin(), same_dim))
        continue;
    }
    const auto& dims = *ids->type.shape;
    bool fits = false;
    bool own_ids = false;
    if (position.ids == nullptr) {
      const Shape& rows = constant_of(position.table)->shape();
      fits = dims[1].size == rows[rows.size() - 2];
    } else {
      const auto& own = *position.ids->type.shape;
      own_ids = !counts_up(*position.ids, *ids);
      fits = !own_ids || (same_dim(own[1], dims[1]) && (own[0].size == 1 || same_dim(own[0], dims[0])));
    }
    if (fits)
      return Roles{others[0], others.size() == 2 ? std::optional(others[1]) : std::nullopt, position,
                   own_ids};
  }
  return std::nullopt;
}

Value* as_int32(Value* ids, Graph& graph, Node& before) {
  if (ids->type.dtype == DType::kInt32) return ids;
  Value& cast = graph.add_op("Cast", {ids}, ids->name() + "_int32", &before);
  cast.producer()->attributes["to"] = static_cast<std::int64_t>(DType::kInt32);
  cast.type = ids->type;
  cast.type.dtype = DType::kInt32;
  return &cast;
}

/// The table with two axes; constant rows may have a leading one.
Result<Value*> table_of(const Addend& addend, Graph& graph) {
  const Tensor& rows = *constant_of(addend.table);
  if (rows.shape().size() == 2) return addend.table;
  TARMAC_TRY(Tensor table, rows.reshaped({rows.shape()[1], rows.shape()[2]}));
  return &graph.add_initializer(graph.fresh_name(addend.table->name() + "_table"), std::move(table));
}

Result<bool> fuse_at(Graph& graph, Node& norm, Model& model, PassContext& context) {
  const auto hidden = norm.is("LayerNormalization") ? vendor_norm_width(norm) : std::nullopt;
  // The CPU kernel knows float32 only.
  if (!hidden || norm.input(0)->type.dtype != DType::kFloat32) return false;
  Value& result = *norm.output(0);
  Region region(graph);
  region.take(&result, "LayerNormalization");
  const std::vector<Addend> addends = take_sum(norm.input(0), *hidden, region);
  if (addends.size() < 2) return false;
  if (!region.closed(result)) {
    context.decline(norm, "the sum of embeddings, or one of them, is read elsewhere");
    return false;
  }
  const auto roles = assign(addends);
  if (!roles) {
    context.decline(norm,
                    "the ids of its embeddings are not known to have the same shape; fix the inputs' shapes");
    return false;
  }
  if (!may_emit_vendor(model, context, kMicrosoftDomain, "EmbedLayerNormalization")) return false;

  TARMAC_TRY(Value * position_table, table_of(roles->position, graph));
  Value* bias = norm.input(2);
  if (bias == nullptr) {  // not optional here
    TARMAC_TRY(Tensor zeros, from_doubles(DType::kFloat32, {*hidden}, std::vector<double>(*hidden, 0.0)));
    bias = &graph.add_initializer(graph.fresh_name(result.name() + "_bias"), std::move(zeros));
  }
  Value* segment_ids = roles->segment ? as_int32(roles->segment->ids, graph, norm) : nullptr;
  std::vector<Value*> inputs = {as_int32(roles->word.ids, graph, norm),
                                segment_ids,
                                roles->word.table,
                                position_table,
                                roles->segment ? roles->segment->table : nullptr,
                                norm.input(1),
                                bias};
  if (roles->position_ids) inputs.insert(inputs.end(), {nullptr, as_int32(roles->position.ids, graph, norm)});
  Value& fused = add_fused(graph, "EmbedLayerNormalization", std::move(inputs), norm, result);
  fused.producer()->domain = kMicrosoftDomain;
  fused.producer()->attributes["epsilon"] = norm.attribute_or<float>("epsilon", 1e-5F);
  fused.producer()->attributes["mask_index_type"] = std::int64_t{0};  // no second output
  context.changed(norm, "is the end of a sum of embeddings: EmbedLayerNormalization");
  region.replace(result, fused);
  return true;
}

}  // namespace

Status fuse_embed_layer_norm(Model& model, PassContext& context) {
  return rewrite_backwards(*model.graph,
                           [&](Graph& graph, Node& node) { return fuse_at(graph, node, model, context); });
}

}  // namespace tarmac
