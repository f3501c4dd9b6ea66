// What the pieces of a random graph are built with; see random_graph.h.
#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace tarmac::test {

/// A value with what is known of it at run time.
struct Item {
  Value* value = nullptr;
  DType dtype = DType::kUndefined;
  Shape shape;
  double bound = 1;    ///< its elements are hardly larger
  bool exact = false;  ///< no rounding in it, so a step function of it is safe
};

using AttributeValue =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

class RandomBuilder {
 public:
  RandomBuilder(std::uint64_t seed, Graph& graph, std::int64_t opset, DType real)
      : random_(seed), graph_(&graph), opset_(opset), real_(real) {}

  // Chance. All from one engine, by hand: the distributions of <random> differ between libraries.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>((random_() >> 11U) % static_cast<std::uint64_t>(n));
  }
  std::int64_t between(std::int64_t first, std::int64_t last) { return first + below(last - first + 1); }
  bool chance(double p) { return static_cast<double>(random_() >> 11U) * 0x1p-53 < p; }
  double uniform(double first, double last) {
    return first + (last - first) * static_cast<double>(random_() >> 11U) * 0x1p-53;
  }
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[static_cast<std::size_t>(below(static_cast<std::int64_t>(values.size())))];
  }
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
  }

  [[nodiscard]] std::int64_t opset() const { return opset_; }
  [[nodiscard]] DType real() const { return real_; }
  [[nodiscard]] Graph& graph() const { return *graph_; }
  std::vector<Item>& items() { return items_; }

  /// ONNX Runtime has fewer operators for doubles.
  [[nodiscard]] bool is_double() const { return real_ == DType::kFloat64; }

  /// A value that is there already; recent ones more often. Nullopt when none fits.
  std::optional<Item> pick(const std::function<bool(const Item&)>& fits);
  /// Of the model's real type, of modest size and magnitude.
  std::optional<Item> pick_real(std::int64_t min_rank, std::int64_t max_rank = 5, double max_bound = 1e3);

  /// Constants: an initializer, or a Constant node in one of its forms.
  Value* constant(const Tensor& tensor);
  Value* reals(const Shape& shape, double first, double last);
  Value* real_values(const Shape& shape, const std::vector<double>& values);
  Value* scalar(double value);  ///< of shape [] or [1]
  Value* integers(const std::vector<std::int64_t>& values);

  /// A node; its output is an item from now on.
  Item op(const std::string& type, const std::vector<Value*>& inputs, const Attributes& attributes,
          const Item& result);
  Item op(const std::string& type, const std::vector<Value*>& inputs, const Item& result) {
    return op(type, inputs, Attributes(), result);
  }
  /// As op(), same type and shape as `like`, rounded, with magnitude `bound`.
  Item map(const std::string& type, const std::vector<Value*>& inputs, const Item& like, double bound);
  /// A node with several outputs.
  std::vector<Item> ops(const std::string& type, const std::vector<Value*>& inputs,
                        const Attributes& attributes, const std::vector<Item>& results);

  // Operators that changed their form between versions.
  Item unsqueeze(const Item& x, const std::vector<std::int64_t>& axes);
  Item squeeze(const Item& x, const std::vector<std::int64_t>& axes);
  Item reduce(const std::string& type, const Item& x, const std::vector<std::int64_t>& axes, bool keep);
  Item transpose(const Item& x, const std::vector<std::int64_t>& perm);
  Item reshape(const Item& x, const Shape& shape);
  /// matmul(a, b) for shapes that fit.
  Item matmul(const Item& a, const Item& b);
  /// Elementwise with broadcasting; `bound` of the result.
  Item binary(const std::string& type, const Item& a, const Item& b, double bound);
  Item binary(const std::string& type, const Item& a, Value* b, double bound);

  /// `value`, or now and then another one: a pattern that holds no longer.
  double roughly(double value) { return chance(0.12) ? value * uniform(0.6, 1.5) : value; }

  /// Runs `fill` with a nested graph of `node` as the place where nodes go; items made there are forgotten.
  GraphPtr nested(Node& node, const std::function<void(Graph&)>& fill);

 private:
  std::mt19937_64 random_;
  Graph* graph_;
  std::int64_t opset_;
  DType real_;
  int nodes_ = 0;
  std::vector<Item> items_;
};

Shape broadcast(const Shape& a, const Shape& b);
std::int64_t elements(const Shape& shape);
inline AttributeValue integer(std::int64_t value) { return value; }

/// A way to extend a graph; false when it found nothing to work on.
struct Ingredient {
  const char* name;
  int weight;
  bool (*add)(RandomBuilder& builder);
};
const std::vector<Ingredient>& movement_ingredients();  ///< Transpose, Reshape, Slice, …, shapes, If
const std::vector<Ingredient>& compute_ingredients();   ///< elementwise, Conv, MatMul, reductions
const std::vector<Ingredient>& pattern_ingredients();   ///< what exporters decompose

}  // namespace tarmac::test
