// Elementwise operators, convolutions and their neighbours, products, reductions.
#include <cmath>

#include "support/random_graph_builder.h"

namespace tarmac::test {
namespace {

bool unary(RandomBuilder& b) {
  const auto x = b.pick_real(0);
  if (!x) return false;
  static const std::vector<std::string> kBounded = {"Tanh", "Sigmoid", "Erf", "Sin", "Cos", "HardSigmoid"};
  static const std::vector<std::string> kKeeping = {"Relu", "Neg",      "Abs", "LeakyRelu",
                                                    "Elu",  "Softplus", "Selu"};
  switch (b.below(5)) {
    case 0:
    case 1: {
      b.map(b.is_double() ? "Tanh" : b.one_of(kBounded), {x->value}, *x, 1);
      return true;
    }
    case 2:
    case 3: {
      const std::string type = b.is_double() ? "Relu" : b.one_of(kKeeping);
      Item result = *x;
      result.exact = x->exact && (type == "Relu" || type == "Neg" || type == "Abs");
      result.bound = x->bound * 1.8 + 1;
      b.op(type, {x->value}, result);
      return true;
    }
    default: {
      if (x->bound <= 3) {
        b.map("Exp", {x->value}, *x, std::exp(x->bound));
        return true;
      }
      // Kept away from where the function is steep.
      const Item abs = b.map("Abs", {x->value}, *x, x->bound);
      const Item positive = b.binary("Add", abs, b.real_values({}, {b.uniform(0.5, 2)}), x->bound + 2);
      static const std::vector<std::string> kPositive = {"Sqrt", "Log", "Reciprocal"};
      b.map(b.one_of(kPositive), {positive.value}, *x, std::sqrt(x->bound) + 2);
      return true;
    }
  }
}

bool integral_unary(RandomBuilder& b) {
  const auto x = b.pick([](const Item& item) { return item.dtype == DType::kInt64 && item.bound < 1e6; });
  if (!x) return false;
  Item result = *x;
  if (result.shape.empty()) result.shape = {1};  // the constants below have one axis
  switch (x->shape.empty() ? b.between(1, 3) : b.below(4)) {
    case 0:
      b.op("Neg", {x->value}, result);
      return true;
    case 1:
      result.bound += 3;
      b.op("Add", {x->value, b.integers({b.between(-3, 3)})}, result);
      break;
    case 2:
      result.bound *= 3;
      b.op("Mul", {x->value, b.integers({b.between(0, 3)})}, result);
      break;
    default:
      b.op("Div", {x->value, b.integers({b.between(1, 3)})}, result);
  }
  return true;
}

bool binary_same(RandomBuilder& b) {
  const auto x = b.pick_real(0, 5, 50);
  if (!x) return false;
  const auto y = b.pick([&](const Item& item) {
    return item.dtype == x->dtype && item.bound <= 50 &&
           (item.shape == x->shape || broadcast(item.shape, x->shape) == x->shape) && [&] {
             for (std::size_t i = 0; i < item.shape.size(); ++i) {
               if (item.shape.size() > x->shape.size()) return false;
               const std::int64_t mine = item.shape[item.shape.size() - 1 - i];
               if (mine != 1 && mine != x->shape[x->shape.size() - 1 - i]) return false;
             }
             return true;
           }();
  });
  if (!y) return false;
  static const std::vector<std::string> kTypes = {"Add", "Add", "Sub", "Mul", "Max", "Min"};
  const std::string type = b.one_of(kTypes);
  const double bound = type == "Mul" ? x->bound * y->bound : x->bound + y->bound;
  if (b.chance(0.5)) {
    b.binary(type, *x, *y, bound);
  } else {
    b.binary(type, *y, *x, bound);
  }
  return true;
}

/// With a constant: scalar, one a channel, or of the whole shape; neutral ones now and then.
bool binary_constant(RandomBuilder& b) {
  const auto x = b.pick_real(0, 5, 200);
  if (!x) return false;
  static const std::vector<std::string> kTypes = {"Add", "Add", "Mul", "Mul", "Sub", "Div", "Pow"};
  const std::string type = b.one_of(kTypes);
  const bool additive = type == "Add" || type == "Sub";
  const bool neutral = b.chance(0.2);
  Shape shape;
  switch (b.below(4)) {
    case 0:
      break;
    case 1:
      shape = {1};
      break;
    case 2:
      if (x->shape.size() >= 2) {  // one a channel
        shape = Shape(x->shape.size() - 1, 1);
        shape[0] = x->shape[1];
      }
      break;
    default:
      shape = x->shape;
  }
  if (b.chance(0.1) && elements(x->shape) < 500)
    shape.insert(shape.begin(), x->shape.size(), 1);  // adds axes
  if (shape.size() > 5) shape = {1};
  Item result{nullptr, x->dtype, broadcast(x->shape, shape), x->bound + 2, false};
  if (type == "Pow") {
    if (!neutral && x->bound > 30) return false;
    if (neutral) {
      b.op("Pow", {x->value, b.real_values({}, {1.0})}, {nullptr, x->dtype, x->shape, x->bound, false});
    } else {
      b.op("Pow", {x->value, b.real_values({}, {2.0})},
           {nullptr, x->dtype, x->shape, x->bound * x->bound, false});
    }
    return true;
  }
  Value* constant = nullptr;
  if (neutral) {
    constant = b.real_values(
        shape, std::vector<double>(static_cast<std::size_t>(elements(shape)), additive ? 0.0 : 1.0));
  } else if (type == "Div") {
    constant = b.reals(shape, 0.5, 2);
    result.bound = 2 * x->bound;
  } else {
    constant = b.reals(shape, -2, 2);
    result.bound = additive ? x->bound + 2 : 2 * x->bound;
  }
  const bool swapped = type != "Div" && b.chance(0.4);
  b.op(type, swapped ? std::vector<Value*>{constant, x->value} : std::vector<Value*>{x->value, constant},
       result);
  return true;
}

bool clip(RandomBuilder& b) {
  const auto x = b.pick_real(0);
  if (!x) return false;
  Item result = *x;
  result.bound = std::min(x->bound, 6.0);
  Value* const low = b.chance(0.8) ? b.real_values({}, {b.chance(0.5) ? 0.0 : -1.0}) : nullptr;
  std::vector<Value*> inputs = {x->value, low};
  if (b.chance(0.8)) {
    inputs.push_back(b.real_values({}, {6.0}));
  } else {
    result.bound = x->bound;
  }
  if (inputs.back() == nullptr) inputs.pop_back();
  b.op("Clip", inputs, result);
  return true;
}

bool cast_chain(RandomBuilder& b) {
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == b.real() ||
           ((item.dtype == DType::kInt64 || item.dtype == DType::kInt32) && item.bound < 1e4);
  });
  if (!x) return false;
  std::vector<DType> kinds = {b.real(), DType::kFloat32};
  // Half cannot hold what is larger, and its coarse steps would count as differences.
  if (x->exact && x->bound < 100) kinds.insert(kinds.end(), {DType::kInt64, DType::kInt32, DType::kBool});
  if (b.real() == DType::kFloat16) kinds.push_back(DType::kFloat16);
  Item at = *x;
  for (std::int64_t i = b.between(1, 3); i > 0; --i) {
    Item result = at;
    result.dtype = b.one_of(kinds);
    if (result.dtype == DType::kBool) result.bound = 1;
    const bool widens = at.dtype == DType::kFloat16 || result.dtype == DType::kFloat64;
    result.exact =
        at.exact && (widens || at.dtype == result.dtype || is_integer(result.dtype) || is_integer(at.dtype) ||
                     result.dtype == DType::kBool || at.dtype == DType::kBool);
    at = b.op("Cast", {at.value}, {{"to", static_cast<std::int64_t>(result.dtype)}}, result);
  }
  return true;
}

/// Comparisons of exact values only: rounding must not turn them.
bool where(RandomBuilder& b) {
  const auto condition = b.pick([](const Item& item) { return item.dtype == DType::kBool; });
  if (!condition || b.chance(0.4)) {
    const auto x = b.pick([](const Item& item) {
      return item.exact && (item.dtype == DType::kInt64 || item.dtype == DType::kFloat32) &&
             !item.shape.empty();
    });
    if (!x) return false;
    Item result{nullptr, DType::kBool, x->shape, 1, true};
    Value* limit = x->dtype == DType::kInt64
                       ? b.integers({b.between(-1, 2)})
                       : b.constant(Tensor::from<float>({1}, {static_cast<float>(b.uniform(-1, 1))}));
    static const std::vector<std::string> kTypes = {"Less", "Greater", "Equal"};
    Item made = b.op(b.one_of(kTypes), {x->value, limit}, result);
    if (b.chance(0.3)) b.op("Not", {made.value}, result);
    return true;
  }
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == b.real() && item.shape == condition->shape && !item.shape.empty();
  });
  if (!x) return false;
  b.op("Where", {condition->value, x->value, b.scalar(b.uniform(-1, 1))},
       {nullptr, x->dtype, x->shape, x->bound + 1, false});
  return true;
}

/// Conv or ConvTranspose, and what stands behind it in networks.
bool convolution(RandomBuilder& b) {
  if (b.is_double()) return false;
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == b.real() && item.bound <= 100 &&
           (item.shape.size() == 4 || item.shape.size() == 3) && item.shape.back() >= 3 &&
           item.shape[2] >= 3 && item.shape[1] <= 16;
  });
  if (!x) return false;
  Item at = *x;
  const std::size_t spatial = at.shape.size() - 2;
  if (b.chance(0.2)) {  // explicit padding in front
    std::vector<std::int64_t> pads(2 * at.shape.size(), 0);
    for (std::size_t i = 0; i < spatial; ++i) {
      pads[2 + i] = b.between(0, 1);
      pads[at.shape.size() + 2 + i] = b.between(0, 1);
    }
    Item padded = at;
    for (std::size_t i = 0; i < at.shape.size(); ++i) padded.shape[i] += pads[i] + pads[at.shape.size() + i];
    std::vector<Value*> inputs = {at.value, b.integers(pads)};
    if (b.chance(0.4)) inputs.push_back(b.real_values({}, {b.chance(0.7) ? 0.0 : 0.5}));
    padded.bound += 0.5;
    at = b.op("Pad", inputs, padded);
  }
  const bool transposed = b.chance(0.2);
  const std::int64_t in = at.shape[1];
  std::int64_t group = 1;
  if (b.chance(0.3)) group = b.chance(0.5) ? in : (in % 2 == 0 ? 2 : 1);
  const std::int64_t out = group * b.between(1, group > 2 ? 2 : 4);
  const std::int64_t kernel = b.between(1, 3);
  const std::int64_t stride = b.between(1, 2);
  const std::int64_t pad = kernel > 1 ? b.between(0, 1) : 0;
  const std::int64_t dilation = !transposed && kernel == 2 && b.chance(0.3) ? 2 : 1;
  Shape weights = transposed ? Shape{in, out / group} : Shape{out, in / group};
  Item result{nullptr, at.dtype, {at.shape[0], out}, at.bound, false};
  for (std::size_t i = 0; i < spatial; ++i) {
    weights.push_back(kernel);
    const std::int64_t size = at.shape[2 + i];
    const std::int64_t reach = dilation * (kernel - 1) + 1;
    result.shape.push_back(transposed ? (size - 1) * stride + kernel - 2 * pad
                                      : (size + 2 * pad - reach) / stride + 1);
    if (result.shape.back() < 1) return true;
  }
  const double fan =
      static_cast<double>(elements(weights)) / static_cast<double>(transposed ? out / group : out);
  Value* const w = b.reals(weights, -1.5 / std::sqrt(fan), 1.5 / std::sqrt(fan));
  result.bound = at.bound * 1.5 * std::sqrt(fan) + 1;
  std::vector<Value*> inputs = {at.value, w};
  if (b.chance(0.5)) inputs.push_back(b.reals({out}, -1, 1));
  Attributes attributes = {{"strides", std::vector<std::int64_t>(spatial, stride)},
                           {"pads", std::vector<std::int64_t>(2 * spatial, pad)}};
  if (group != 1 || b.chance(0.3)) attributes.emplace_back("group", group);
  if (dilation != 1) attributes.emplace_back("dilations", std::vector<std::int64_t>(spatial, dilation));
  if (b.chance(0.5)) attributes.emplace_back("kernel_shape", std::vector<std::int64_t>(spatial, kernel));
  at = b.op(transposed ? "ConvTranspose" : "Conv", inputs, attributes, result);
  const auto per_channel = [&](double first, double last) {
    Shape shape(spatial + 1, 1);
    shape[0] = out;
    if (b.chance(0.3)) shape.insert(shape.begin(), 1);
    if (b.chance(0.15)) shape = {};
    return b.reals(shape, first, last);
  };
  if (b.chance(0.25)) at = b.binary("Add", at, per_channel(-1, 1), at.bound + 1);
  if (b.chance(0.25)) at = b.binary(b.chance(0.8) ? "Mul" : "Div", at, per_channel(0.5, 2), 2 * at.bound);
  if (b.chance(0.5)) {
    Item normal = at;
    normal.bound = at.bound * 3 + 3;
    Attributes epsilon;
    if (b.chance(0.5)) epsilon.emplace_back("epsilon", static_cast<float>(b.uniform(1e-5, 1e-3)));
    at = b.op("BatchNormalization",
              {at.value, b.reals({out}, -2, 2), b.reals({out}, -1, 1), b.reals({out}, -1, 1),
               b.reals({out}, 0.5, 2)},
              epsilon, normal);
  }
  if (b.chance(0.2)) at = b.binary("Mul", at, per_channel(-2, 2), 2 * at.bound);
  if (b.chance(0.3)) {
    Item result_relu = at;
    b.op("Relu", {at.value}, result_relu);
  }
  return true;
}

bool batch_norm(RandomBuilder& b) {
  const auto x = b.pick_real(2, 4, 100);
  if (!x) return false;
  const std::int64_t c = x->shape[1];
  Item result = *x;
  result.bound = 3 * x->bound + 3;
  result.exact = false;
  b.op("BatchNormalization",
       {x->value, b.reals({c}, -2, 2), b.reals({c}, -1, 1), b.reals({c}, -1, 1), b.reals({c}, 0.5, 2)},
       result);
  return true;
}

bool pool(RandomBuilder& b) {
  if (b.is_double()) return false;
  const auto x = b.pick([&](const Item& item) {
    return item.dtype == b.real() && item.shape.size() == 4 && item.shape[2] >= 3 && item.shape[3] >= 3;
  });
  if (!x) return false;
  Item result = *x;
  switch (b.below(3)) {
    case 0:
      result.shape[2] = result.shape[3] = 1;
      result.exact = false;
      b.op("GlobalAveragePool", {x->value}, result);
      return true;
    default: {
      const bool average = b.chance(0.5);
      const std::int64_t kernel = b.between(2, 3);
      const std::int64_t stride = b.between(1, 2);
      for (const std::size_t i : {2U, 3U}) result.shape[i] = (x->shape[i] - kernel) / stride + 1;
      if (average) result.exact = false;
      b.op(average ? "AveragePool" : "MaxPool", {x->value},
           {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
            {"strides", std::vector<std::int64_t>{stride, stride}}},
           result);
      return true;
    }
  }
}

/// A product with a constant or another value, and its bias.
bool linear(RandomBuilder& b) {
  const auto x = b.pick_real(2, 4, 50);
  if (!x) return false;
  const std::int64_t k = x->shape.back();
  const std::int64_t n = b.between(1, 8);
  Item at;
  const auto other = b.pick([&](const Item& item) {
    return item.dtype == b.real() && item.bound <= 50 && item.shape.size() == x->shape.size() &&
           item.shape[item.shape.size() - 2] == k &&
           std::equal(item.shape.begin(), item.shape.end() - 2, x->shape.begin());
  });
  const double size = 1.5 / std::sqrt(static_cast<double>(k));
  if (other && b.chance(0.4)) {
    at = b.matmul(*x, *other);
  } else if (x->shape.size() == 2 && b.chance(0.5)) {
    const bool transposed = b.chance(0.5);
    Value* const w = b.reals(transposed ? Shape{n, k} : Shape{k, n}, -size, size);
    std::vector<Value*> inputs = {x->value, w};
    if (b.chance(0.6)) inputs.push_back(b.reals(b.chance(0.7) ? Shape{n} : Shape{1, n}, -1, 1));
    Attributes attributes;
    if (transposed) attributes.emplace_back("transB", integer(1));
    if (b.chance(0.2)) attributes.emplace_back("alpha", static_cast<float>(b.uniform(0.5, 2)));
    if (b.chance(0.2)) attributes.emplace_back("beta", static_cast<float>(b.uniform(0.5, 2)));
    at = b.op(
        "Gemm", inputs, attributes,
        {nullptr, x->dtype, {x->shape[0], n}, x->bound * 3 * std::sqrt(static_cast<double>(k)) + 2, false});
  } else {
    Item w{b.reals({k, n}, -size, size), x->dtype, {k, n}, size, true};
    if (b.chance(0.25)) {  // stored the other way round
      w.value = b.reals({n, k}, -size, size);
      w.shape = {n, k};
      w = b.transpose(w, {1, 0});
    }
    at = b.matmul(*x, w);
  }
  const std::int64_t columns = at.shape.back();
  if (b.chance(0.5)) {
    Shape bias = b.chance(0.8) ? Shape{columns} : Shape{};
    if (b.chance(0.1)) bias = Shape(at.shape.size(), 1), bias.back() = columns;
    at = b.binary("Add", at, b.reals(bias, -1, 1), at.bound + 1);
  }
  if (b.chance(0.2))
    at = b.binary(b.chance(0.5) ? "Mul" : "Div", at,
                  b.reals(b.chance(0.5) ? Shape{columns} : Shape{}, 0.5, 2), 2 * at.bound);
  if (at.shape.size() == 2 && b.chance(0.3)) {
    Item normal = at;
    normal.bound = 3 * at.bound + 3;
    b.op("BatchNormalization",
         {at.value, b.reals({columns}, -2, 2), b.reals({columns}, -1, 1), b.reals({columns}, -1, 1),
          b.reals({columns}, 0.5, 2)},
         normal);
  }
  return true;
}

bool reduction(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 100);
  if (!x) return false;
  static const std::vector<std::string> kTypes = {"ReduceMean", "ReduceMean", "ReduceSum",       "ReduceMax",
                                                  "ReduceMin",  "ReduceL2",   "ReduceSumSquare", "ReduceL1"};
  const auto rank = static_cast<std::int64_t>(x->shape.size());
  std::vector<std::int64_t> axes = {b.below(rank)};
  if (rank > 2 && b.chance(0.3)) axes = {rank - 2, rank - 1};
  if (b.chance(0.3)) {
    for (std::int64_t& axis : axes) axis -= rank;
  }
  const std::string type = b.one_of(kTypes);
  if (type == "ReduceSumSquare" && x->bound > 20) return false;
  b.reduce(type, *x, axes, b.chance(0.6));
  return true;
}

bool softmax(RandomBuilder& b) {
  const auto x = b.pick_real(1, 4, 30);
  if (!x) return false;
  const auto rank = static_cast<std::int64_t>(x->shape.size());
  Attributes attributes;
  if (rank == 1 || b.chance(0.7))
    attributes.emplace_back("axis", b.chance(0.6) ? std::int64_t{-1} : b.below(rank));
  Item result = *x;
  result.exact = false;
  result.bound = 1;
  if (rank == 1) attributes = {{"axis", integer(b.chance(0.5) ? -1 : 0)}};
  if (b.chance(0.85)) {
    b.op("Softmax", {x->value}, attributes, result);
  } else {
    result.bound = x->bound * 2 + 5;
    b.op("LogSoftmax", {x->value}, attributes, result);
  }
  return true;
}

bool dropout_or_identity(RandomBuilder& b) {
  const auto x = b.pick([](const Item&) { return true; });
  if (!x) return false;
  if (b.chance(0.4) && x->dtype == b.real() && b.real() != DType::kUndefined) {
    b.op("Dropout", {x->value}, *x);
  } else {
    b.op("Identity", {x->value}, *x);
  }
  return true;
}

}  // namespace

const std::vector<Ingredient>& compute_ingredients() {
  static const std::vector<Ingredient> ingredients = {{"unary", 8, unary},
                                                      {"integral", 2, integral_unary},
                                                      {"binary", 7, binary_same},
                                                      {"constant", 8, binary_constant},
                                                      {"clip", 2, clip},
                                                      {"cast", 4, cast_chain},
                                                      {"where", 3, where},
                                                      {"conv", 9, convolution},
                                                      {"batch_norm", 2, batch_norm},
                                                      {"pool", 3, pool},
                                                      {"linear", 7, linear},
                                                      {"reduce", 4, reduction},
                                                      {"softmax", 2, softmax},
                                                      {"identity", 3, dropout_or_identity}};
  return ingredients;
}

}  // namespace tarmac::test
