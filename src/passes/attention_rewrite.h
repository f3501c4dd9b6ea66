// Puts an attention operator into a graph: its inputs, its mask, and what reads its result.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "passes/attention_form.h"
#include "passes/pass.h"

namespace tarmac {

/// Models without any are not worth a look at all their shapes.
bool has_softmax(const Model& model);

/// One pass over a model. Nothing is erased before finish(): the shapes are known by address.
class AttentionRewriter {
 public:
  AttentionRewriter(Model& model, PassContext& context)
      : model_(model), context_(context), shapes_(*model.graph, {context.heads, context.hidden_size}) {}

  [[nodiscard]] const SymbolicShapes& shapes() const { return shapes_; }

  /// The attention of every graph of the model, in order. Those that contradict the caller's number of heads
  /// or hidden size are declined.
  void for_each(const std::function<void(const AttentionCore&)>& visit);

  /// The source as a value, with a Transpose or Split before `before` where it needs one; they are shared.
  Value* source(const HeadSource& source, Node& before);
  Value* transposed(Value* value, const std::vector<std::int64_t>& permutation, Node& before);

  /// Why the masks cannot be handed to the operator; empty where they can.
  [[nodiscard]] std::string check_masks(const AttentionCore& core, std::int64_t heads) const;
  /// All masks as one of rank 2 to 4 (4: `full_rank`), broadcastable to [B, H, S, M]; S is not left to
  /// broadcasting, which engines refuse. Null where there is none. `query`: a value with S as axis `axis`.
  Value* mask(const AttentionCore& core, std::int64_t heads, Value* query, std::size_t axis, bool full_rank,
              Node& before);

  /// [B, S, H·Dv], the shape of the attention that `form` describes.
  [[nodiscard]] SymbolicShape joined_shape(const AttentionCore& core, const HeadForm& form) const;
  /// Leads readers of the old result to `attention`, [B, S, H·D].
  void replace(const HeadResult& result, Value& attention);
  void replace(Value& old_result, Value& attention);

  /// `heads` and `width` as found, against what the caller says: a reason, or empty.
  [[nodiscard]] std::string contradiction(std::int64_t heads, std::optional<std::int64_t> hidden) const;

  /// A node of one output, named after its first input.
  Value* add(const char* op_type, std::vector<Value*> inputs, DType dtype, const SymbolicShape& shape,
             Node& before);

  /// Erases what the rewrites left without readers.
  void finish();

 private:
  static Value* constant(const std::vector<std::int64_t>& values, Node& before);
  void visit(Graph& graph, const std::function<void(const AttentionCore&)>& visit_core);
  Value* unwindowed(const AddedMask& mask, Node& before);
  Value* added_axes(Value* value, const std::vector<std::int64_t>& axes, const SymbolicShape& shape,
                    Node& before);
  Value* expanded(Value* mask, const SymbolicDim& length, Value* query, std::size_t axis, Node& before);

  Model& model_;
  PassContext& context_;
  SymbolicShapes shapes_;
  // What was added to the graph at hand, for the next attention that needs the same.
  struct Expanded {
    Value* mask;
    SymbolicDim length;
    Value* result;
  };
  std::map<std::pair<Value*, std::vector<std::int64_t>>, Value*> transposed_;
  std::map<std::pair<Value*, std::int64_t>, std::vector<Value*>> split_;
  std::vector<Expanded> expanded_;
  std::vector<Node*> dropped_;
};

}  // namespace tarmac
