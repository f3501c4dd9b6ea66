#include "support/random_graph_builder.h"

#include <algorithm>
#include <cmath>

#include "support/expect.h"
#include "tensor/codec.h"

namespace tarmac::test {

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    result[result.size() - 1 - i] = da == 1 ? db : da;
  }
  return result;
}

std::int64_t elements(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::optional<Item> RandomBuilder::pick(const std::function<bool(const Item&)>& fits) {
  std::vector<Item> fitting;
  for (const Item& item : items_) {
    if (fits(item)) fitting.push_back(item);
  }
  if (fitting.empty()) return std::nullopt;
  // Half of the time one of the latest: graphs become deep, not only wide.
  const auto count = static_cast<std::int64_t>(fitting.size());
  const std::int64_t back = chance(0.5) ? below(std::min<std::int64_t>(3, count)) : below(count);
  return fitting[static_cast<std::size_t>(count - 1 - back)];
}

std::optional<Item> RandomBuilder::pick_real(std::int64_t min_rank, std::int64_t max_rank, double max_bound) {
  return pick([&](const Item& item) {
    const auto rank = static_cast<std::int64_t>(item.shape.size());
    return item.dtype == real_ && rank >= min_rank && rank <= max_rank && item.bound <= max_bound &&
           elements(item.shape) <= 4000 && elements(item.shape) > 0;
  });
}

Value* RandomBuilder::constant(const Tensor& tensor) {
  if (!chance(0.3)) return &graph_->add_initializer(graph_->fresh_name("w"), tensor);
  Value& value = graph_->add_op("Constant", {}, "c");
  auto& attributes = value.producer()->attributes;
  const bool numbers = opset_ >= 12 && tensor.shape().size() <= 1;
  if (numbers && tensor.dtype() == DType::kInt64) {
    const auto values = expect_ok(to_int64s(tensor));
    if (tensor.shape().empty()) {
      attributes["value_int"] = values[0];
    } else {
      attributes["value_ints"] = values;
    }
  } else if (numbers && tensor.dtype() == DType::kFloat32) {
    const auto values = expect_ok(to_floats(tensor));
    if (tensor.shape().empty()) {
      attributes["value_float"] = values[0];
    } else {
      attributes["value_floats"] = values;
    }
  } else {
    attributes["value"] = tensor;
  }
  return &value;
}

Value* RandomBuilder::real_values(const Shape& shape, const std::vector<double>& values) {
  return constant(expect_ok(from_doubles(real_, shape, values)));
}

Value* RandomBuilder::reals(const Shape& shape, double first, double last) {
  std::vector<double> values(static_cast<std::size_t>(elements(shape)));
  for (double& value : values) value = uniform(first, last);
  return real_values(shape, values);
}

Value* RandomBuilder::scalar(double value) { return real_values(chance(0.5) ? Shape{} : Shape{1}, {value}); }

Value* RandomBuilder::integers(const std::vector<std::int64_t>& values) {
  return constant(Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

std::vector<Item> RandomBuilder::ops(const std::string& type, const std::vector<Value*>& inputs,
                                     const Attributes& attributes, const std::vector<Item>& results) {
  std::vector<Value*> outputs;
  for (std::size_t i = 0; i < results.size(); ++i)
    outputs.push_back(&graph_->add_value(graph_->fresh_name("v")));
  Node& node = graph_->add_node(type, inputs, outputs);
  node.name = type + "_" + std::to_string(++nodes_);
  for (const auto& [key, attribute] : attributes) {
    std::visit([&, key = key](const auto& held) { node.attributes[key] = held; }, attribute);
  }
  std::vector<Item> made = results;
  for (std::size_t i = 0; i < made.size(); ++i) made[i].value = outputs[i];
  items_.insert(items_.end(), made.begin(), made.end());
  return made;
}

Item RandomBuilder::op(const std::string& type, const std::vector<Value*>& inputs,
                       const Attributes& attributes, const Item& result) {
  return ops(type, inputs, attributes, {result}).front();
}

Item RandomBuilder::map(const std::string& type, const std::vector<Value*>& inputs, const Item& like,
                        double bound) {
  return op(type, inputs, {nullptr, like.dtype, like.shape, bound, false});
}

Item RandomBuilder::unsqueeze(const Item& x, const std::vector<std::int64_t>& axes) {
  Item result = x;
  result.shape = Shape(x.shape.size() + axes.size(), 0);
  for (const std::int64_t axis : axes) result.shape[static_cast<std::size_t>(axis)] = 1;
  auto next = x.shape.begin();
  for (std::int64_t& size : result.shape) {
    if (size == 0) size = *next++;
  }
  if (opset_ < 13) return op("Unsqueeze", {x.value}, {{"axes", axes}}, result);
  return op("Unsqueeze", {x.value, integers(axes)}, result);
}

Item RandomBuilder::squeeze(const Item& x, const std::vector<std::int64_t>& axes) {
  Item result = x;
  result.shape.clear();
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end())
      result.shape.push_back(x.shape[i]);
  }
  if (opset_ < 13) return op("Squeeze", {x.value}, {{"axes", axes}}, result);
  return op("Squeeze", {x.value, integers(axes)}, result);
}

Item RandomBuilder::reduce(const std::string& type, const Item& x, const std::vector<std::int64_t>& axes,
                           bool keep) {
  Item result{nullptr, x.dtype, {}, x.bound, false};
  double count = 1;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    const bool reduced = std::any_of(axes.begin(), axes.end(), [&](std::int64_t axis) {
      return axis == static_cast<std::int64_t>(i) ||
             axis + static_cast<std::int64_t>(x.shape.size()) == static_cast<std::int64_t>(i);
    });
    if (reduced) count *= static_cast<double>(x.shape[i]);
    if (!reduced || keep) result.shape.push_back(reduced ? 1 : x.shape[i]);
  }
  if (type == "ReduceSum" || type == "ReduceL1") result.bound *= count;
  if (type == "ReduceSumSquare") result.bound *= result.bound * count;
  if (type == "ReduceL2") result.bound *= std::sqrt(count);
  result.exact = x.exact && (type == "ReduceMax" || type == "ReduceMin");
  const std::int64_t inputs_since = type == "ReduceSum" ? 13 : 18;
  Attributes attributes;
  if (!keep || chance(0.5)) attributes.emplace_back("keepdims", integer(keep ? 1 : 0));
  if (opset_ >= inputs_since) return op(type, {x.value, integers(axes)}, attributes, result);
  attributes.emplace_back("axes", axes);
  return op(type, {x.value}, attributes, result);
}

Item RandomBuilder::transpose(const Item& x, const std::vector<std::int64_t>& perm) {
  Item result = x;
  for (std::size_t i = 0; i < perm.size(); ++i) result.shape[i] = x.shape[static_cast<std::size_t>(perm[i])];
  return op("Transpose", {x.value}, {{"perm", perm}}, result);
}

Item RandomBuilder::reshape(const Item& x, const Shape& shape) {
  Item result = x;
  result.shape = shape;
  std::vector<std::int64_t> asked = shape;
  if (!asked.empty() && chance(0.4))
    asked[static_cast<std::size_t>(below(static_cast<std::int64_t>(asked.size())))] = -1;
  for (std::size_t i = 0; i < asked.size() && i < x.shape.size(); ++i) {
    if (asked[i] > 0 && asked[i] == x.shape[i] && chance(0.2)) asked[i] = 0;
  }
  return op("Reshape", {x.value, integers(asked)}, result);
}

Item RandomBuilder::matmul(const Item& a, const Item& b) {
  const std::size_t ra = a.shape.size();
  const std::size_t rb = b.shape.size();
  Shape shape =
      broadcast(Shape(a.shape.begin(), a.shape.end() - 2), Shape(b.shape.begin(), b.shape.end() - 2));
  shape.push_back(a.shape[ra - 2]);
  shape.push_back(b.shape[rb - 1]);
  const double bound = a.bound * b.bound * static_cast<double>(a.shape[ra - 1]);
  return op("MatMul", {a.value, b.value}, {nullptr, a.dtype, shape, bound, false});
}

Item RandomBuilder::binary(const std::string& type, const Item& a, const Item& b, double bound) {
  return op(type, {a.value, b.value}, {nullptr, a.dtype, broadcast(a.shape, b.shape), bound, false});
}

Item RandomBuilder::binary(const std::string& type, const Item& a, Value* b, double bound) {
  // The constants made here never enlarge.
  const bool commutes = type == "Add" || type == "Mul";
  const bool swapped = commutes && chance(0.4);
  Item result{nullptr, a.dtype, a.shape, bound, false};
  return swapped ? op(type, {b, a.value}, result) : op(type, {a.value, b}, result);
}

GraphPtr RandomBuilder::nested(Node& node, const std::function<void(Graph&)>& fill) {
  auto inner = std::make_unique<Graph>(&node, graph_->names());
  inner->name = graph_->fresh_name("branch");
  Graph* const outer = graph_;
  const std::vector<Item> kept = items_;
  graph_ = inner.get();
  fill(*inner);
  graph_ = outer;
  items_ = kept;
  return inner;
}

}  // namespace tarmac::test
