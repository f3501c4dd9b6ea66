// Operators that only move data, shape computation, constant subgraphs, and If.
#include <algorithm>
#include <numeric>

#include "support/expect.h"
#include "support/random_graph_builder.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

using Integers = std::vector<std::int64_t>;

std::optional<Item> pick_any(RandomBuilder& b, std::size_t min_rank, std::size_t max_rank = 5) {
  return b.pick([&](const Item& item) {
    return item.shape.size() >= min_rank && item.shape.size() <= max_rank && item.dtype != DType::kBool &&
           elements(item.shape) > 0 && elements(item.shape) < 4000;
  });
}

Integers permutation(RandomBuilder& b, std::size_t rank) {
  Integers perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  if (!b.chance(0.1)) b.shuffle(perm);
  return perm;
}

Integers inverse(const Integers& perm) {
  Integers result(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i)
    result[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  return result;
}

bool transposes(RandomBuilder& b) {
  auto x = pick_any(b, 2, 4);
  if (!x) return false;
  const Integers perm = permutation(b, x->shape.size());
  Item at = b.transpose(*x, perm);
  if (b.chance(0.3) && at.dtype == b.real()) {
    Item result = at;
    at = b.op("Relu", {at.value}, result);
  }
  if (b.chance(0.5)) at = b.transpose(at, b.chance(0.5) ? inverse(perm) : permutation(b, perm.size()));
  return true;
}

Shape other_shape(RandomBuilder& b, const Shape& shape) {
  std::int64_t left = elements(shape);
  Shape result;
  while (left > 1 && result.size() < 3) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t d = 2; d <= left; ++d) {
      if (left % d == 0) divisors.push_back(d);
    }
    result.push_back(b.one_of(divisors));
    left /= result.back();
  }
  if (left > 1 || result.empty()) result.push_back(left);
  if (b.chance(0.2)) result.insert(result.begin() + b.below(static_cast<std::int64_t>(result.size()) + 1), 1);
  return result;
}

bool reshapes(RandomBuilder& b) {
  const auto x = pick_any(b, 0);
  if (!x) return false;
  Item at = *x;
  for (std::int64_t i = b.between(1, 3); i > 0; --i) {
    switch (b.below(5)) {
      case 0: {
        std::vector<std::int64_t> axes = {b.below(static_cast<std::int64_t>(at.shape.size()) + 1)};
        if (at.shape.size() < 5) at = b.unsqueeze(at, axes);
        break;
      }
      case 1: {
        Integers ones;
        for (std::size_t axis = 0; axis < at.shape.size(); ++axis) {
          if (at.shape[axis] == 1) ones.push_back(static_cast<std::int64_t>(axis));
        }
        if (!ones.empty()) at = b.squeeze(at, {b.one_of(ones)});
        break;
      }
      case 2: {
        if (at.shape.empty()) break;
        const std::int64_t axis = b.below(static_cast<std::int64_t>(at.shape.size()) + 1);
        const Shape front(at.shape.begin(), at.shape.begin() + axis);
        const Shape back(at.shape.begin() + axis, at.shape.end());
        Item result = at;
        result.shape = {elements(front), elements(back)};
        at = b.op("Flatten", {at.value}, {{"axis", axis}}, result);
        break;
      }
      default:
        at = b.reshape(at, b.chance(0.15) ? at.shape : (b.chance(0.3) ? x->shape : other_shape(b, at.shape)));
    }
  }
  return true;
}

/// One Slice along one or two axes. Ends beyond the size, negative positions and steps occur.
Item slice(RandomBuilder& b, const Item& x) {
  Item result = x;
  Integers starts;
  Integers ends;
  Integers axes;
  Integers steps;
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  Integers order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  b.shuffle(order);
  order.resize(static_cast<std::size_t>(std::min<std::int64_t>(rank, b.between(1, 2))));
  for (const std::int64_t axis : order) {
    const std::int64_t size = x.shape[static_cast<std::size_t>(axis)];
    std::int64_t step = b.chance(0.25) ? b.one_of(Integers{2, -1, -2}) : 1;
    std::int64_t first = b.chance(0.3) ? 0 : b.below(size);
    std::int64_t last = b.between(first + 1, size);  // first <= i < last
    axes.push_back(b.chance(0.3) ? axis - rank : axis);
    steps.push_back(step);
    result.shape[static_cast<std::size_t>(axis)] = (last - first + std::abs(step) - 1) / std::abs(step);
    if (step > 0) {
      starts.push_back(b.chance(0.2) ? first - size : first);
      ends.push_back(last == size && b.chance(0.5) ? std::numeric_limits<std::int64_t>::max() : last);
    } else {
      starts.push_back(last - 1);
      ends.push_back(first == 0 ? -size - 1 : first - 1);
    }
  }
  std::vector<Value*> inputs = {x.value, b.integers(starts), b.integers(ends), b.integers(axes)};
  const bool plain = std::all_of(steps.begin(), steps.end(), [](auto step) { return step == 1; });
  if (!plain || b.chance(0.5)) inputs.push_back(b.integers(steps));
  return b.op("Slice", inputs, result);
}

bool slices(RandomBuilder& b) {
  const auto x = pick_any(b, 1);
  if (!x) return false;
  Item at = *x;
  for (std::int64_t i = b.between(1, 3); i > 0; --i) at = slice(b, at);
  return true;
}

Item concat(RandomBuilder& b, const std::vector<Item>& parts, std::int64_t axis) {
  Item result = parts[0];
  result.exact = true;
  result.shape[static_cast<std::size_t>(axis)] = 0;
  std::vector<Value*> inputs;
  for (const Item& part : parts) {
    result.shape[static_cast<std::size_t>(axis)] += part.shape[static_cast<std::size_t>(axis)];
    result.bound = std::max(result.bound, part.bound);
    result.exact = result.exact && part.exact;
    inputs.push_back(part.value);
  }
  const bool negative = b.chance(0.3);
  return b.op("Concat", inputs,
              {{"axis", negative ? axis - static_cast<std::int64_t>(result.shape.size()) : axis}}, result);
}

bool concats(RandomBuilder& b) {
  const auto x = pick_any(b, 1);
  if (!x) return false;
  const std::int64_t axis = b.below(static_cast<std::int64_t>(x->shape.size()));
  const auto fits = [&](const Item& item) {
    if (item.dtype != x->dtype || item.shape.size() != x->shape.size() || elements(item.shape) > 2000)
      return false;
    for (std::size_t i = 0; i < item.shape.size(); ++i) {
      if (static_cast<std::int64_t>(i) != axis && item.shape[i] != x->shape[i]) return false;
    }
    return true;
  };
  std::vector<Item> parts = {*x};
  for (std::int64_t i = b.below(3); i > 0; --i) parts.push_back(b.pick(fits).value_or(*x));
  Item at = concat(b, parts, axis);
  if (b.chance(0.4)) {
    parts = {at, *x};
    b.shuffle(parts);
    at = concat(b, parts, axis);
  }
  return true;
}

/// Split, and now and then the parts put together again.
bool split(RandomBuilder& b) {
  const auto x = b.pick([](const Item& item) {
    return !item.shape.empty() && item.shape.back() >= 2 && item.dtype != DType::kBool;
  });
  if (!x) return false;
  const auto rank = static_cast<std::int64_t>(x->shape.size());
  const std::int64_t axis = rank - 1;
  const std::int64_t size = x->shape.back();
  const std::int64_t first = b.between(1, size - 1);
  std::vector<Item> results(2, *x);
  results[0].shape.back() = first;
  results[1].shape.back() = size - first;
  std::vector<Item> parts;
  const bool even = size == 2 * first && b.chance(0.5);
  Attributes attributes = {{"axis", b.chance(0.5) ? axis : std::int64_t{-1}}};
  if (even && b.opset() >= 18) {
    attributes.emplace_back("num_outputs", integer(2));
    parts = b.ops("Split", {x->value}, attributes, results);
  } else if (even) {
    parts = b.ops("Split", {x->value}, attributes, results);
  } else if (b.opset() >= 13) {
    parts = b.ops("Split", {x->value, b.integers({first, size - first})}, attributes, results);
  } else {
    attributes.emplace_back("split", Integers{first, size - first});
    parts = b.ops("Split", {x->value}, attributes, results);
  }
  if (b.chance(0.5)) {
    if (b.chance(0.3)) b.shuffle(parts);
    concat(b, parts, axis);
  }
  return true;
}

bool pads(RandomBuilder& b) {
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == b.real() && !item.shape.empty() && item.shape.size() <= 4 &&
           elements(item.shape) < 1000;
  });
  if (!x) return false;
  Item at = *x;
  for (std::int64_t i = b.between(1, 2); i > 0; --i) {
    const std::size_t rank = at.shape.size();
    Integers amounts(2 * rank);
    for (auto& amount : amounts) amount = b.chance(0.4) ? b.between(-1, 2) : 0;
    static const std::vector<std::string> kModes = {"constant", "constant", "edge", "reflect"};
    const std::string mode = b.one_of(kModes);
    Item result = at;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (at.shape[axis] < 4 || mode != "constant") {
        for (auto* amount : {&amounts[axis], &amounts[rank + axis]})
          *amount = std::max<std::int64_t>(*amount, 0);
      }
      if (mode == "reflect") {
        for (auto* amount : {&amounts[axis], &amounts[rank + axis]})
          *amount = std::min(*amount, at.shape[axis] - 1);
      }
      result.shape[axis] += amounts[axis] + amounts[rank + axis];
    }
    std::vector<Value*> inputs = {at.value, b.integers(amounts)};
    if (mode == "constant" && b.chance(0.5))
      inputs.push_back(b.real_values({}, {b.chance(0.5) ? 0.0 : 0.75}));
    Attributes attributes;
    if (mode != "constant" || b.chance(0.3)) attributes.emplace_back("mode", mode);
    result.bound = std::max(at.bound, 1.0);
    at = b.op("Pad", inputs, attributes, result);
  }
  return true;
}

bool gather(RandomBuilder& b) {
  const auto x = pick_any(b, 1, 4);
  if (!x) return false;
  const std::int64_t axis = b.below(static_cast<std::int64_t>(x->shape.size()));
  const std::int64_t size = x->shape[static_cast<std::size_t>(axis)];
  Shape indices_shape;
  if (b.chance(0.6)) indices_shape = {b.between(1, 3)};
  Integers indices(static_cast<std::size_t>(elements(indices_shape)));
  for (auto& index : indices) index = b.chance(0.2) ? b.below(size) - size : b.below(size);
  Item result = *x;
  result.shape.erase(result.shape.begin() + axis);
  result.shape.insert(result.shape.begin() + axis, indices_shape.begin(), indices_shape.end());
  b.op("Gather", {x->value, b.constant(Tensor::from<std::int64_t>(indices_shape, indices))}, {{"axis", axis}},
       result);
  return true;
}

bool expand_or_tile(RandomBuilder& b) {
  const auto x = pick_any(b, 1, 4);
  if (!x || elements(x->shape) > 500) return false;
  Item result = *x;
  Integers amounts;
  const bool tile = b.chance(0.5);
  for (std::int64_t& size : result.shape) {
    const std::int64_t times = b.chance(0.3) ? b.between(1, 3) : 1;
    if (tile) {
      size *= times;
      amounts.push_back(times);
    } else {
      if (size == 1) size = times;
      amounts.push_back(b.chance(0.2) ? 1 : size);
    }
  }
  b.op(tile ? "Tile" : "Expand", {x->value, b.integers(amounts)}, result);
  return true;
}

/// Sizes taken from one tensor at run time and put together for a Reshape.
bool shape_computation(RandomBuilder& b) {
  const auto x = pick_any(b, 2, 4);
  if (!x) return false;
  const auto rank = static_cast<std::int64_t>(x->shape.size());
  const Item sizes = b.op("Shape", {x->value}, {nullptr, DType::kInt64, {rank}, 100, true});
  std::vector<Item> parts;
  const auto size_at = [&](std::int64_t axis) {
    const Item one = b.op(
        "Gather", {sizes.value, b.constant(Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{axis}))},
        {{"axis", integer(0)}}, {nullptr, DType::kInt64, {}, 100, true});
    return b.unsqueeze(one, {0});
  };
  Item result = *x;
  if (b.chance(0.5)) {  // keeps the first axis, flattens the others
    parts.push_back(size_at(0));
    parts.push_back({b.integers({-1}), DType::kInt64, {1}, 1, true});
    result.shape = {x->shape[0], elements(x->shape) / x->shape[0]};
  } else {  // splits nothing, joins the last two
    for (std::int64_t axis = 0; axis + 2 < rank; ++axis) parts.push_back(size_at(axis));
    const Item product = b.op("Mul", {size_at(rank - 2).value, size_at(rank - 1).value},
                              {nullptr, DType::kInt64, {1}, 1e4, true});
    parts.push_back(product);
    result.shape.resize(static_cast<std::size_t>(rank - 1));
    result.shape.back() =
        x->shape[static_cast<std::size_t>(rank - 2)] * x->shape[static_cast<std::size_t>(rank - 1)];
  }
  const Item shape = concat(b, parts, 0);
  b.op("Reshape", {x->value, shape.value}, result);
  return true;
}

/// Filled, counted or computed from constants alone.
bool constant_subgraph(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 100);
  if (!x) return false;
  const std::int64_t n = x->shape.back();
  Item made;
  switch (b.below(3)) {
    case 0: {
      const Item shape{b.integers({n}), DType::kInt64, {1}, 100, true};
      made = b.op("ConstantOfShape", {shape.value}, {nullptr, DType::kFloat32, {n}, 1, true});
      break;
    }
    case 1: {
      const auto number = [&](std::int64_t v) {
        return b.constant(Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{v}));
      };
      made = b.op("Range", {number(0), number(n), number(1)},
                  {nullptr, DType::kInt64, {n}, static_cast<double>(n), true});
      break;
    }
    default: {
      Item base{b.reals({1, n}, -1, 1), b.real(), {1, n}, 1, true};
      base = b.binary("Add", base, b.reals({n}, -1, 1), 2);
      made = b.squeeze(b.op("Relu", {base.value}, base), {0});
    }
  }
  if (made.dtype != b.real()) {
    Item cast = made;
    cast.dtype = b.real();
    made = b.op("Cast", {made.value}, {{"to", static_cast<std::int64_t>(cast.dtype)}}, cast);
  }
  b.binary(b.chance(0.5) ? "Add" : "Mul", *x, made, x->bound * std::max(made.bound, 1.0) + made.bound);
  return true;
}

bool resize(RandomBuilder& b) {
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == DType::kFloat32 && item.dtype == b.real() && item.shape.size() == 4 &&
           elements(item.shape) < 600;
  });
  if (!x) return false;
  static const std::vector<std::string> kModes = {"nearest", "linear"};
  static const std::vector<std::string> kTransforms = {"half_pixel", "asymmetric", "align_corners",
                                                       "pytorch_half_pixel"};
  const std::string mode = b.one_of(kModes);
  Attributes attributes = {{"mode", mode}};
  if (b.chance(0.8)) attributes.emplace_back("coordinate_transformation_mode", b.one_of(kTransforms));
  if (mode == "nearest")
    attributes.emplace_back("nearest_mode", std::string(b.chance(0.7) ? "floor" : "round_prefer_floor"));
  Item result = *x;
  const std::int64_t times = b.between(1, 2);
  result.shape[2] *= times;
  result.shape[3] *= times;
  Value* const roi = b.opset() >= 13 ? nullptr : b.constant(Tensor::from<float>({0}, std::vector<float>{}));
  const auto scale = static_cast<float>(times);
  if (b.chance(0.4)) {
    b.op("Resize",
         {x->value, roi, b.constant(Tensor::from<float>({4}, std::vector<float>{1, 1, scale, scale}))},
         attributes, result);
    return true;
  }
  Value* const scales =
      b.opset() >= 13 ? nullptr : b.constant(Tensor::from<float>({0}, std::vector<float>{}));
  Value* sizes = b.integers(result.shape);
  if (b.chance(0.5)) {  // computed, as torch exports it
    const Item all = b.op("Shape", {x->value}, {nullptr, DType::kInt64, {4}, 100, true});
    const Item front = b.op("Slice", {all.value, b.integers({0}), b.integers({2}), b.integers({0})},
                            {nullptr, DType::kInt64, {2}, 100, true});
    sizes =
        concat(b, {front, {b.integers({result.shape[2], result.shape[3]}), DType::kInt64, {2}, 100, true}}, 0)
            .value;
  }
  b.op("Resize", {x->value, roi, scales, sizes}, attributes, result);
  return true;
}

bool depth_to_space(RandomBuilder& b) {
  const auto x =
      b.pick([&](const Item& item) { return item.dtype == DType::kFloat32 && item.shape.size() == 4; });
  if (!x) return false;
  Item result = *x;
  if (x->shape[1] % 4 == 0) {
    result.shape = {x->shape[0], x->shape[1] / 4, x->shape[2] * 2, x->shape[3] * 2};
    b.op("DepthToSpace", {x->value},
         {{"blocksize", integer(2)}, {"mode", std::string(b.chance(0.5) ? "DCR" : "CRD")}}, result);
  } else if (x->shape[2] % 2 == 0 && x->shape[3] % 2 == 0) {
    result.shape = {x->shape[0], x->shape[1] * 4, x->shape[2] / 2, x->shape[3] / 2};
    b.op("SpaceToDepth", {x->value}, {{"blocksize", integer(2)}}, result);
  } else {
    return false;
  }
  return true;
}

/// Both branches read the outer graph and give the same type and shape.
bool if_node(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 100);
  if (!x || b.graph().parent() != nullptr) return false;
  const auto condition =
      b.pick([](const Item& item) { return item.dtype == DType::kBool && item.shape.empty(); });
  Value* chosen = condition && !b.chance(0.3)
                      ? condition->value
                      : b.constant(expect_ok(from_doubles(DType::kBool, {}, {b.chance(0.5) ? 1.0 : 0.0})));
  Graph& graph = b.graph();
  Value& output = graph.add_value(graph.fresh_name("v"));
  Node& node = graph.add_node("If", {chosen}, {&output});
  node.name = output.name() + "_if";
  for (const char* branch : {"then_branch", "else_branch"}) {
    node.attributes[branch] = b.nested(node, [&](Graph& inner) {
      Item at = *x;
      for (std::int64_t i = b.between(1, 4); i > 0; --i) {
        Item result = at;
        result.bound = at.bound + 2;
        result.exact = false;
        switch (b.below(5)) {
          case 0:
            at = b.op("Relu", {at.value}, result);
            break;
          case 1:
            at = b.op("Identity", {at.value}, result);
            break;
          case 2:
            at = b.binary("Add", at, b.reals({x->shape.back()}, -1, 1), result.bound);
            break;
          case 3: {
            Integers perm(at.shape.size());
            std::iota(perm.begin(), perm.end(), 0);
            std::reverse(perm.begin(), perm.end());
            at = b.transpose(b.transpose(at, perm), perm);
            break;
          }
          default: {
            Item product{b.reals({2}, -1, 1), b.real(), {2}, 1, true};
            product = b.binary("Mul", product, b.reals({1}, -1, 1), 1);
            const Item sum = b.reduce("ReduceMax", product, {0}, true);
            at = b.binary("Add", at, sum.value, result.bound);
          }
        }
      }
      at.value->type = Type::tensor(at.dtype, at.shape);
      inner.add_output(*at.value);
    });
  }
  b.items().push_back({&output, x->dtype, x->shape, x->bound + 8, false});
  return true;
}

}  // namespace

const std::vector<Ingredient>& movement_ingredients() {
  static const std::vector<Ingredient> ingredients = {{"transpose", 5, transposes},
                                                      {"reshape", 5, reshapes},
                                                      {"slice", 4, slices},
                                                      {"concat", 4, concats},
                                                      {"split", 3, split},
                                                      {"pad", 3, pads},
                                                      {"gather", 2, gather},
                                                      {"expand", 2, expand_or_tile},
                                                      {"shape", 3, shape_computation},
                                                      {"constants", 2, constant_subgraph},
                                                      {"resize", 2, resize},
                                                      {"depth", 1, depth_to_space},
                                                      {"if", 1, if_node}};
  return ingredients;
}

}  // namespace tarmac::test
