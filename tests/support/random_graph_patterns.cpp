// What exporters decompose: the forms that fusions look for, and forms that only look like them.
#include <cmath>
#include <limits>

#include "support/random_graph_builder.h"

namespace tarmac::test {
namespace {

using Integers = std::vector<std::int64_t>;

std::int64_t rank_of(const Item& x) { return static_cast<std::int64_t>(x.shape.size()); }

/// Normalisation over the last axis or two; x − mean, variance, ε, root, scale, bias, with variations.
void normalize(RandomBuilder& b, const Item& at) {
  const std::int64_t rank = rank_of(at);
  Integers axes = {b.chance(0.6) ? -1 : rank - 1};
  if (rank >= 3 && b.chance(0.2)) axes = {rank - 2, rank - 1};
  if (b.chance(0.1)) axes = {b.below(rank)};
  const Item mean = b.reduce("ReduceMean", at, axes, true);
  const Item centred = b.binary("Sub", at, mean, 2 * at.bound);
  const Item again = b.chance(0.2) ? b.binary("Sub", at, mean, 2 * at.bound) : centred;
  const double square = centred.bound * centred.bound;
  const Item squared =
      b.chance(0.6) ? b.binary("Pow", again, b.real_values({}, {b.roughly(2.0) == 2.0 ? 2.0 : 4.0}), square)
                    : b.binary("Mul", again, again, square);
  const Item variance = b.reduce("ReduceMean", squared, axes, true);
  // Large, so that a constant row does not turn rounding into noise.
  const Item shifted = b.binary("Add", variance, b.real_values({}, {b.uniform(1e-2, 1e-1)}), square + 1);
  const Item root = b.map("Sqrt", {shifted.value}, shifted, centred.bound + 1);
  const double bound = 3 * std::sqrt(static_cast<double>(at.shape.back()));
  Item normal = b.chance(0.8) ? b.binary("Div", centred, root, bound)
                              : b.binary("Mul", centred, b.map("Reciprocal", {root.value}, root, 10), bound);
  Shape affine = {at.shape.back()};
  if (axes.size() == 2 && b.chance(0.7)) affine = {at.shape[at.shape.size() - 2], at.shape.back()};
  if (b.chance(0.1)) affine = {1};
  if (b.chance(0.85)) normal = b.binary("Mul", normal, b.reals(affine, -2, 2), 2 * bound);
  if (b.chance(0.85)) b.binary("Add", normal, b.reals(affine, -1, 1), 2 * bound + 1);
}

bool layer_norm(RandomBuilder& b) {
  auto x = b.pick_real(2, 4, 100);
  if (!x || x->shape.back() < 2) return false;
  Item at = *x;
  if (b.chance(0.4)) {  // skip connection
    const auto other = b.pick([&](const Item& item) {
      return item.dtype == b.real() && item.shape == x->shape && item.bound < 100;
    });
    if (other) at = b.binary("Add", at, *other, at.bound + other->bound);
  }
  normalize(b, at);
  return true;
}

bool rms_norm(RandomBuilder& b) {
  const auto x = b.pick_real(2, 4, 100);
  if (!x || x->shape.back() < 2) return false;
  const Integers axes = {b.chance(0.8) ? -1 : b.below(rank_of(*x))};
  const double square = x->bound * x->bound;
  const Item squared =
      b.chance(0.6) ? b.binary("Pow", *x, b.real_values({}, {2.0}), square) : b.binary("Mul", *x, *x, square);
  const Item mean = b.reduce("ReduceMean", squared, axes, true);
  const Item shifted = b.binary("Add", mean, b.real_values({}, {b.uniform(1e-2, 1e-1)}), square + 1);
  const Item root = b.map("Sqrt", {shifted.value}, shifted, x->bound + 1);
  const double bound = 3 * std::sqrt(static_cast<double>(x->shape.back()));
  Item normal;
  switch (b.below(3)) {
    case 0:
      normal = b.binary("Div", *x, root, bound);
      break;
    case 1:
      normal = b.binary("Mul", *x, b.map("Reciprocal", {root.value}, root, 10), bound);
      break;
    default:
      normal = b.binary(
          "Mul", *x,
          b.binary("Div", Item{b.real_values({}, {b.roughly(1.0)}), x->dtype, {}, 1, true}, root, 10), bound);
  }
  if (b.chance(0.8)) b.binary("Mul", normal, b.reals({x->shape.back()}, -2, 2), 2 * bound);
  return true;
}

/// x·0.5·(1 + erf(x/√2)), or with tanh, in the orders that exporters use.
bool gelu(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 50);
  if (!x) return false;
  const double bound = x->bound + 1;
  Item inner;
  if (!b.is_double() && b.chance(0.6)) {
    inner = b.chance(0.5) ? b.binary("Div", *x, b.scalar(b.roughly(std::sqrt(2.0))), bound)
                          : b.binary("Mul", *x, b.scalar(b.roughly(std::sqrt(0.5))), bound);
    inner = b.map("Erf", {inner.value}, inner, 1);
  } else {
    const Item cube = b.binary("Pow", *x, b.real_values({}, {3.0}), std::pow(bound, 3));
    const Item small = b.binary("Mul", cube, b.scalar(b.roughly(0.044715)), std::pow(bound, 3));
    const Item sum = b.binary("Add", *x, small, std::pow(bound, 3));
    inner = b.binary("Mul", sum, b.scalar(b.roughly(std::sqrt(2.0 / M_PI))), std::pow(bound, 3));
    inner = b.map("Tanh", {inner.value}, inner, 1);
  }
  const Item plus = b.binary("Add", inner, b.scalar(b.roughly(1.0)), 2);
  switch (b.below(3)) {
    case 0:
      b.binary("Mul", b.binary("Mul", *x, plus, 2 * bound), b.scalar(b.roughly(0.5)), 2 * bound);
      break;
    case 1:
      b.binary("Mul", b.binary("Mul", *x, b.scalar(b.roughly(0.5)), bound), plus, 2 * bound);
      break;
    default:
      b.binary("Mul", b.binary("Mul", plus, b.scalar(b.roughly(0.5)), 2), *x, 2 * bound);
  }
  return true;
}

/// SiLU, HardSwish, Mish, HardSigmoid as products and sums.
bool gated_activation(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 100);
  if (!x) return false;
  const double bound = x->bound + 1;
  switch (b.is_double() ? 0 : b.below(4)) {
    case 0: {
      const Item gate = b.map("Sigmoid", {x->value}, *x, 1);
      if (b.chance(0.5)) {
        b.binary("Mul", *x, gate, bound);
      } else {
        b.binary("Mul", gate, *x, bound);
      }
      return true;
    }
    case 1: {
      const Item plus = b.binary("Add", *x, b.real_values({}, {b.roughly(3.0)}), bound + 3);
      Item clipped = plus;
      clipped.bound = 6;
      clipped =
          b.op("Clip", {plus.value, b.real_values({}, {0.0}), b.real_values({}, {b.roughly(6.0)})}, clipped);
      if (b.chance(0.5)) {
        b.binary("Div", b.binary("Mul", *x, clipped, 6 * bound), b.scalar(b.roughly(6.0)), bound);
      } else {
        b.binary("Mul", *x, b.binary("Div", clipped, b.scalar(b.roughly(6.0)), 1), bound);
      }
      return true;
    }
    case 2: {
      Item gate = *x;
      gate.exact = false;
      gate.bound = 1;
      Attributes attributes;
      if (b.chance(0.7)) attributes = {{"alpha", static_cast<float>(b.roughly(1.0 / 6))}, {"beta", 0.5F}};
      gate = b.op("HardSigmoid", {x->value}, attributes, gate);
      b.binary("Mul", *x, gate, bound);
      return true;
    }
    default: {
      const Item soft = b.map("Softplus", {x->value}, *x, bound);
      b.binary("Mul", *x, b.map("Tanh", {soft.value}, soft, 1), bound);
      return true;
    }
  }
}

Item projection(RandomBuilder& b, const Item& x, std::int64_t width) {
  const double size = 1.0 / std::sqrt(static_cast<double>(x.shape.back()));
  Item w{b.reals({x.shape.back(), width}, -size, size), x.dtype, {x.shape.back(), width}, size, true};
  Item at = b.matmul(x, w);
  at.bound = x.bound * 2;
  return b.chance(0.8) ? b.binary("Add", at, b.reals({width}, -1, 1), at.bound + 1) : at;
}

/// Multi-head attention of one or two sequences [N, S, D], written out.
bool attention(RandomBuilder& b) {
  const auto is_sequence = [&](const Item& item) {
    return item.dtype == b.real() && item.shape.size() == 3 && item.bound < 20 && elements(item.shape) <= 300;
  };
  const auto x = b.pick(is_sequence);
  if (!x) return false;
  auto memory = b.pick([&](const Item& item) { return is_sequence(item) && item.shape[0] == x->shape[0]; });
  if (b.chance(0.7)) memory = x;
  const std::int64_t heads = b.between(1, 3);
  const std::int64_t width = heads * b.between(1, 4);
  const std::int64_t head = width / heads;
  const bool sizes_stay_open = b.chance(0.6);
  const auto shape_as = [&](const Item& from, const Shape& shape) {
    if (!sizes_stay_open) return b.reshape(from, shape);
    Item result = from;
    result.shape = shape;
    std::vector<std::int64_t> asked = shape;
    asked[0] = 0;
    asked[1] = b.chance(0.5) ? 0 : -1;
    return b.op("Reshape", {from.value, b.integers(asked)}, result);
  };
  const auto split_heads = [&](const Item& from, bool keys) {
    const Item at = shape_as(from, {from.shape[0], from.shape[1], heads, head});
    return b.transpose(at, keys ? Integers{0, 2, 3, 1} : Integers{0, 2, 1, 3});
  };
  Item q = split_heads(projection(b, *x, width), false);
  const double scale = b.roughly(1.0 / std::sqrt(static_cast<double>(head)));
  const bool early = b.chance(0.3);
  if (early) q = b.binary("Mul", q, b.scalar(scale), q.bound);
  Item k = split_heads(projection(b, *memory, width), b.chance(0.6));
  if (k.shape[2] != head || (k.shape[3] != memory->shape[1] || b.chance(0.0)))
    k = b.transpose(k, {0, 1, 3, 2});
  const Item v = split_heads(projection(b, *memory, width), false);
  Item scores = b.matmul(q, k);
  scores.bound = std::min(scores.bound, 1e3);
  if (!early)
    scores = b.chance(0.6) ? b.binary("Div", scores, b.scalar(1 / scale), scores.bound)
                           : b.binary("Mul", scores, b.scalar(scale), scores.bound);
  if (b.chance(0.25)) {  // later positions are hidden
    const std::int64_t rows = scores.shape[2];
    const std::int64_t columns = scores.shape[3];
    const double hidden = b.chance(0.5) ? -std::numeric_limits<double>::infinity() : -1e4;
    std::vector<double> mask;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) mask.push_back(column > row ? hidden : 0.0);
    }
    scores = b.binary("Add", scores, b.real_values({rows, columns}, mask), scores.bound + 5);
  } else if (b.chance(0.3)) {
    const Shape mask = b.chance(0.5) ? Shape{scores.shape[2], scores.shape[3]}
                                     : Shape{scores.shape[0], 1, 1, scores.shape[3]};
    scores = b.binary("Add", scores, b.reals(mask, -5, 0), scores.bound + 5);
  }
  Item weights = scores;
  weights.bound = 1;
  weights =
      b.op("Softmax", {scores.value}, {{"axis", integer(b.chance(0.7) || b.opset() < 13 ? 3 : -1)}}, weights);
  Item context = b.matmul(weights, v);
  context.bound = v.bound;
  context = shape_as(b.transpose(context, {0, 2, 1, 3}), {x->shape[0], x->shape[1], width});
  projection(b, context, b.chance(0.5) ? x->shape[2] : width);
  return true;
}

/// Rows of tables by indices, added up.
bool embedding(RandomBuilder& b) {
  const auto ids = b.pick([](const Item& item) {
    return (item.dtype == DType::kInt64 || item.dtype == DType::kInt32) && item.shape.size() == 2 &&
           item.exact && item.bound <= 5;
  });
  if (!ids || elements(ids->shape) > 50) return false;
  const std::int64_t width = 2 * b.between(1, 4);
  Item result{nullptr, b.real(), {ids->shape[0], ids->shape[1], width}, 1, true};
  // Negative indices count from the end, so twice the largest is enough for both.
  Item at = b.op("Gather", {b.reals({12, width}, -1, 1), ids->value}, {{"axis", integer(0)}}, result);
  if (b.chance(0.6)) {
    Integers positions;
    for (std::int64_t i = 0; i < ids->shape[1]; ++i) positions.push_back(i);
    Item position{nullptr, b.real(), {1, ids->shape[1], width}, 1, true};
    position = b.op("Gather",
                    {b.reals({ids->shape[1] + 2, width}, -1, 1),
                     b.constant(Tensor::from<std::int64_t>({1, ids->shape[1]}, positions))},
                    {{"axis", integer(0)}}, position);
    at = b.binary("Add", at, position, 2);
  } else if (b.chance(0.5)) {
    const Shape rows = b.chance(0.5) ? Shape{ids->shape[1], width} : Shape{1, ids->shape[1], width};
    at = b.binary("Add", at, b.reals(rows, -1, 1), 2);
  }
  if (b.chance(0.7)) normalize(b, at);
  return true;
}

/// Q/DQ of an activation, and a product with stored INT8 weights. Rounding to steps needs an exact value.
bool quantized(RandomBuilder& b) {
  const auto x = b.pick([](const Item& item) {
    return item.exact && item.dtype == DType::kFloat32 && item.shape.size() == 2 &&
           elements(item.shape) > 0 && elements(item.shape) < 500;
  });
  if (!x || b.real() != DType::kFloat32) return false;
  Value* const scale = b.real_values({}, {b.uniform(0.01, 0.05)});
  const bool is_signed = b.chance(0.5);
  Value* const zero = b.constant(is_signed ? Tensor::from<std::int8_t>({}, std::vector<std::int8_t>{3})
                                           : Tensor::from<std::uint8_t>({}, std::vector<std::uint8_t>{120}));
  Item steps{nullptr, is_signed ? DType::kInt8 : DType::kUint8, x->shape, 255, false};
  steps = b.op("QuantizeLinear", {x->value, scale, zero}, steps);
  Item back = *x;
  back.exact = false;
  back = b.op("DequantizeLinear", {steps.value, scale, zero}, back);
  const std::int64_t k = x->shape.back();
  const std::int64_t n = b.between(1, 5);
  std::vector<std::int8_t> weights(static_cast<std::size_t>(k * n));
  for (auto& weight : weights) weight = static_cast<std::int8_t>(b.between(-127, 127));
  Item w{b.constant(Tensor::from<std::int8_t>({k, n}, weights)), DType::kFloat32, {k, n}, 1, false};
  const bool per_channel = b.opset() >= 13 && b.chance(0.5);
  const Attributes axis = per_channel ? Attributes{{"axis", std::int64_t{1}}} : Attributes{};
  w = b.op("DequantizeLinear", {w.value, b.reals(per_channel ? Shape{n} : Shape{}, 0.005, 0.01)}, axis, w);
  const Item product = b.matmul(back, w);
  if (b.chance(0.6)) b.binary("Add", product, b.reals({n}, -1, 1), product.bound + 1);
  return true;
}

/// A mean, spread to the shape that it came from before it is used.
bool spread_mean(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 100);
  if (!x) return false;
  const Item mean = b.reduce(b.chance(0.5) ? "ReduceMean" : "ReduceMax", *x, {b.below(rank_of(*x))}, true);
  const Item spread =
      b.op("Expand", {mean.value, b.integers(x->shape)}, {nullptr, x->dtype, x->shape, mean.bound, false});
  b.binary(b.chance(0.5) ? "Sub" : "Max", *x, spread, 2 * x->bound);
  return true;
}

/// Limits one after another, Relu among them.
bool clips(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4);
  if (!x) return false;
  Item at = *x;
  for (std::int64_t i = b.between(2, 3); i > 0; --i) {
    if (b.chance(0.3)) {
      at = b.op("Relu", {at.value}, at);
    } else {
      at = b.op("Clip",
                {at.value, b.real_values({}, {b.uniform(-2, 0.5)}), b.real_values({}, {b.uniform(0.5, 3)})},
                at);
    }
  }
  return true;
}

/// The same expression twice, and the same weights under two names.
bool duplicates(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 50);
  if (!x) return false;
  const std::vector<double> numbers = {b.uniform(-1, 1)};
  const Item first = b.binary("Mul", *x, b.real_values({1}, numbers), x->bound);
  const Item second = b.binary("Mul", *x, b.real_values({1}, numbers), x->bound);
  const Item third = b.map("Tanh", {first.value}, first, 1);
  const Item fourth = b.map("Tanh", {b.chance(0.8) ? second.value : first.value}, first, 1);
  b.binary(b.chance(0.5) ? "Add" : "Sub", third, fourth, 2);
  return true;
}

}  // namespace

const std::vector<Ingredient>& pattern_ingredients() {
  static const std::vector<Ingredient> ingredients = {{"layer_norm", 4, layer_norm},
                                                      {"rms_norm", 2, rms_norm},
                                                      {"gelu", 3, gelu},
                                                      {"gated", 4, gated_activation},
                                                      {"attention", 3, attention},
                                                      {"embedding", 2, embedding},
                                                      {"duplicates", 2, duplicates},
                                                      {"quantized", 2, quantized},
                                                      {"spread_mean", 1, spread_mean},
                                                      {"clips", 1, clips}};
  return ingredients;
}

}  // namespace tarmac::test
