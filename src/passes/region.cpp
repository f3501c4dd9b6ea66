#include "passes/region.h"

#include <algorithm>
#include <cmath>

#include "tensor/codec.h"

namespace tarmac {

bool standard_accepted(const Model& model, const PassContext& context, std::string_view op_type,
                       std::int64_t since) {
  if (context.max_opset != 0 && since > context.max_opset) return false;
  return context.support != nullptr && context.support->accepts("", op_type, std::max(since, model.opset()));
}

bool Region::contains(const Node* node) const {
  return std::find(nodes_.begin(), nodes_.end(), node) != nodes_.end();
}

Node* Region::take(const Value* value, std::string_view op_type) {
  if (value == nullptr || value->output_index() != 0) return nullptr;
  Node* node = value->producer();
  if (node == nullptr || &node->graph() != graph_ || !node->is(op_type)) return nullptr;
  if (!contains(node)) nodes_.push_back(node);
  return node;
}

Value* Region::take_casts(Value* value) {
  const auto is_float = [](const Value* v) {
    return v != nullptr && v->type.is_tensor() && is_floating_point(v->type.dtype);
  };
  // More than a few in a row are no exporter's, and walking them again from each would take long.
  for (int casts = 0; casts < 4 && is_float(value); ++casts) {
    const std::size_t before = mark();
    const Node* cast = take(value, "Cast");
    if (cast == nullptr) break;
    if (!is_float(cast->input(0))) {
      rewind(before);
      break;
    }
    value = cast->input(0);
  }
  return value;
}

bool Region::closed(const Value& result) const {
  const auto inside = [&](const Use& use) { return contains(use.node); };
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node* node) {
    return std::all_of(node->outputs().begin(), node->outputs().end(), [&](const Value* output) {
      return output == nullptr || output == &result ||
             (!output->is_output() && std::all_of(output->uses().begin(), output->uses().end(), inside));
    });
  });
}

void Region::replace(Value& result, Value& replacement) {
  graph_->replace_uses(result, replacement);
  const auto unread = [](const Node* node) {
    return std::all_of(node->outputs().begin(), node->outputs().end(),
                       [](const Value* output) { return output == nullptr || output->unused(); });
  };
  // Readers were taken before what they read, but where two ways meet it takes another round.
  for (std::size_t before = nodes_.size() + 1; nodes_.size() < before;) {
    before = nodes_.size();
    std::erase_if(nodes_, [&](Node* node) {
      if (!unread(node)) return false;
      graph_->erase(*node);
      return true;
    });
  }
}

Value& add_fused(Graph& graph, std::string op_type, std::vector<Value*> inputs, Node& root,
                 const Value& result) {
  Value& fused = graph.add_op(std::move(op_type), std::move(inputs), result.name(), &root);
  fused.type = result.type;
  fused.producer()->name = root.name;
  return fused;
}

Status rewrite_backwards(Graph& graph, const std::function<Result<bool>(Graph&, Node&)>& visit) {
  auto at = graph.nodes().end();
  while (at != graph.nodes().begin()) {
    // The node after the visited one stays whatever happens, and leads on to what was put in its place.
    const auto after = at--;
    Node& node = **at;
    Status nested_status;
    node.for_each_subgraph([&](Graph& nested) {
      if (nested_status.ok()) nested_status = rewrite_backwards(nested, visit);
    });
    TARMAC_CHECK_OK(std::move(nested_status));
    TARMAC_TRY(const bool changed, visit(graph, node));
    if (changed) at = after;
  }
  return {};
}

Node* reader_besides_shapes(const Value& value) {
  Node* reader = nullptr;
  if (value.is_output()) return nullptr;
  for (const Use& use : value.uses()) {
    if (use.node->is("Shape")) continue;
    if (reader != nullptr) return nullptr;
    reader = use.node;
  }
  return reader;
}

bool is_float_up_to_32(const Type& type) {
  return type.is_tensor() &&
         (type.dtype == DType::kFloat32 || type.dtype == DType::kFloat16 || type.dtype == DType::kBFloat16);
}

std::optional<double> scalar_beside(const Value* constant, const Value* operand) {
  const Tensor* tensor = constant_of(constant);
  if (tensor == nullptr || tensor->count() != 1 || operand == nullptr) return std::nullopt;
  const auto& shape = operand->type.shape;
  if (!tensor->shape().empty() && (!shape || shape->size() < tensor->shape().size())) return std::nullopt;
  const auto values = to_doubles(*tensor);
  if (!values) return std::nullopt;
  return values->front();
}

bool nearly(double found, double expected, DType dtype) {
  // A few units in the last place of the numbers as exporters write them.
  const double tolerance = dtype == DType::kBFloat16 ? 0x1p-6 : dtype == DType::kFloat16 ? 0x1p-9 : 1e-6;
  return std::abs(found - expected) <= tolerance * std::abs(expected);
}

Product take_product(Value* value, Region& region) {
  constexpr std::size_t kMaxNodes = 12;
  Product product;
  std::vector<Value*> open = {value};
  for (std::size_t nodes = 0; !open.empty();) {
    Value* factor = open.back();
    open.pop_back();
    const bool inner = factor == value || (factor != nullptr && has_one_reader(*factor));
    const std::size_t before = region.mark();
    if (inner && nodes < kMaxNodes) {
      if (const Node* mul = region.take(factor, "Mul")) {
        ++nodes;
        const auto [a, b] = operands(*mul, 0);
        if (const auto number = scalar_beside(b, a)) {
          product.scale *= *number;
          open.push_back(a);
        } else if (const auto first = scalar_beside(a, b)) {
          product.scale *= *first;
          open.push_back(b);
        } else {
          open.insert(open.end(), {a, b});
        }
        continue;
      }
      if (const Node* div = region.take(factor, "Div")) {
        ++nodes;
        const auto number = scalar_beside(div->input(1), div->input(0));
        if (number && *number != 0) {
          product.scale /= *number;
          open.push_back(div->input(0));
          continue;
        }
      } else if (const Node* pow = region.take(factor, "Pow")) {
        ++nodes;
        const auto exponent = scalar_beside(pow->input(1), pow->input(0));
        if (exponent == 2 || exponent == 3) {
          product.factors.insert(product.factors.end(), static_cast<std::size_t>(*exponent), pow->input(0));
          continue;
        }
      }
      region.rewind(before);
    }
    product.factors.push_back(factor);
  }
  return product;
}

}  // namespace tarmac
