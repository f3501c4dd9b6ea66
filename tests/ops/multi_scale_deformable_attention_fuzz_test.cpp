// Random shapes, attributes and numbers, sensible and not: inference and both kernels take or refuse them
// alike, read nothing outside (memory is exactly as large as the tensors; the sanitizers watch) and give the
// same numbers.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "ops/multi_scale_deformable_attention/operator.h"
#include "tensor/codec.h"

namespace tarmac::ops {
namespace {

/// A tensor in memory of exactly its size.
struct Exact {
  DType dtype = DType::kUndefined;
  Shape shape;
  std::vector<std::byte> bytes;

  [[nodiscard]] Type type() const { return dtype == DType::kUndefined ? Type() : Type::tensor(dtype, shape); }
  [[nodiscard]] ConstTensorView view() const { return {dtype, shape, bytes.data()}; }
};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool chance(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(engine_) < probability;
  }
  double number(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  template <typename T>
  T one_of(const std::vector<T>& choices) {
    return choices[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(choices.size()) - 1))];
  }

 private:
  std::mt19937 engine_;
};

void put(Exact& tensor, std::size_t i, double value) {
  const auto number = static_cast<float>(value);
  const auto write = [&](auto element) {
    std::memcpy(tensor.bytes.data() + i * sizeof element, &element, sizeof element);
  };
  if (tensor.dtype == DType::kFloat16) return write(float_to_half(number));
  if (tensor.dtype == DType::kBFloat16) return write(float_to_bfloat16(number));
  if (tensor.dtype == DType::kFloat32) return write(number);
  if (tensor.dtype == DType::kInt8) return write(static_cast<std::int8_t>(value * 127));
  write(static_cast<std::uint8_t>(value > 0));
}

double get(const Exact& tensor, std::size_t i) {
  const auto read = [&](auto element) {
    std::memcpy(&element, tensor.bytes.data() + i * sizeof element, sizeof element);
    return element;
  };
  if (tensor.dtype == DType::kFloat16) return half_to_float(read(std::uint16_t{}));
  if (tensor.dtype == DType::kBFloat16) return bfloat16_to_float(read(std::uint16_t{}));
  return read(float{});
}

template <typename Number>
Exact make(DType dtype, Shape shape, Number&& number) {
  Exact tensor{dtype, std::move(shape), {}};
  tensor.bytes.resize(*size_bytes(dtype, tensor.shape));
  for (std::size_t i = 0; i < static_cast<std::size_t>(*element_count(tensor.shape)); ++i)
    put(tensor, i, number());
  return tensor;
}

Exact make_integers(DType dtype, Shape shape, const std::vector<std::int64_t>& values) {
  Exact tensor{dtype, std::move(shape), {}};
  tensor.bytes.resize(*size_bytes(dtype, tensor.shape));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto narrow = static_cast<std::int32_t>(values[i]);
    if (dtype == DType::kInt64) std::memcpy(tensor.bytes.data() + 8 * i, &values[i], 8);
    if (dtype == DType::kInt32) std::memcpy(tensor.bytes.data() + 4 * i, &narrow, 4);
  }
  return tensor;
}

struct Made {
  Attributes attributes;
  std::vector<Exact> inputs;
};

Made make_case(Random& random) {
  const std::vector<DType> floats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
  const std::vector<DType> integers = {DType::kInt32, DType::kInt64};
  const std::vector<double> nowhere = {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e30, -1e30, 3e9, -3e9};
  const std::int64_t batch = random.between(random.chance(0.05) ? 0 : 1, 4);
  const std::int64_t heads = random.between(random.chance(0.05) ? 0 : 1, 3);
  const auto depth =
      random.one_of<std::int64_t>({0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 32, 32, 33, 40, 64, 70, 128});
  const std::int64_t queries = random.one_of<std::int64_t>({0, 1, 2, 5, 9, 40, 150});
  const std::int64_t levels = random.between(random.chance(0.05) ? 0 : 1, 5);
  const std::int64_t points = random.one_of<std::int64_t>({0, 1, 2, 3, 4, 8, 8, 12, 70});
  const bool softmax = random.chance(0.5);
  const bool by_points = random.chance(0.4);
  const auto batch_of = [&] {
    if (batch > 0 && batch % 2 == 0 && random.chance(0.3)) return batch / 2;
    return random.chance(0.3) ? std::int64_t{1} : batch;
  };

  std::vector<std::int64_t> shapes;
  std::vector<std::int64_t> starts;
  std::int64_t cells = 0;
  for (std::int64_t l = 0; l < levels; ++l) {
    const std::int64_t height = random.between(0, 7);
    const std::int64_t width = random.between(0, 7);
    shapes.insert(shapes.end(), {height, width});
    starts.push_back(cells);
    cells += height * width;
  }
  if (levels > 0 && random.chance(0.15)) {
    random.one_of<std::vector<std::int64_t>*>({&shapes, &starts})
        ->at(static_cast<std::size_t>(random.between(0, levels - 1))) =
        random.one_of<std::int64_t>({-1, 8, 1000, 1 << 24, (1 << 24) + 1, INT64_MIN, INT64_MAX, INT32_MAX});
  }
  if (random.chance(0.2)) cells += random.between(-2, 3);

  Made made;
  made.attributes = {{"softmax", std::int64_t{softmax}},
                     {"reference_mode", std::string(by_points ? "points" : "levels")}};
  const auto value_type =
      random.one_of<DType>({DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt8});
  const auto ordinary = [&] { return random.number(-1, 1); };
  const bool referred = random.chance(0.5);
  const auto coordinate = [&] {
    if (random.chance(0.02)) return random.one_of(nowhere);
    return referred ? random.number(-4, 4) : random.number(-0.4, 1.4);
  };
  const auto weight = [&] {
    return random.chance(0.005) ? std::nan("") : random.number(softmax ? -30 : 0, softmax ? 30 : 1);
  };
  made.inputs.push_back(make(value_type, {batch, std::max<std::int64_t>(cells, 0), heads, depth}, ordinary));
  made.inputs.push_back(make_integers(random.one_of(integers), {levels, 2}, shapes));
  made.inputs.push_back(random.chance(0.5) ? make_integers(random.one_of(integers), {levels}, starts)
                                           : Exact());
  made.inputs.push_back(
      make(random.one_of(floats), {batch_of(), queries, heads, levels, points, 2}, coordinate));
  made.inputs.push_back(make(random.one_of(floats), {batch_of(), queries, heads, levels, points}, weight));
  if (referred) {
    const std::int64_t references =
        by_points ? random.one_of<std::int64_t>({1, 2, 4}) : random.one_of<std::int64_t>({1, levels});
    const std::int64_t width = random.chance(0.3) ? 4 : 2;
    made.inputs.push_back(make(random.one_of(floats), {batch_of(), queries, references, width},
                               [&] { return random.number(-0.2, 1.2); }));
  } else {
    made.inputs.emplace_back();
  }
  made.inputs.emplace_back();
  if (value_type == DType::kInt8 && random.chance(0.8)) {
    made.inputs.back() = make(DType::kFloat32, random.one_of<Shape>({{}, {1}, {heads}, {heads * depth}}),
                              [&] { return random.number(0, 0.1); });
  }
  made.inputs.emplace_back();
  if (random.chance(0.4)) {
    made.inputs.back() =
        make(random.one_of<DType>({DType::kBool, DType::kUint8}), {batch_of(), queries}, ordinary);
  }
  if (random.chance(0.1)) {  // one size wrong
    Exact& broken = made.inputs[static_cast<std::size_t>(random.between(0, 7))];
    if (!broken.shape.empty()) {
      std::int64_t& size = *random.one_of<std::int64_t*>({&broken.shape.front(), &broken.shape.back()});
      size = random.between(0, 9);
      broken.bytes.resize(*size_bytes(broken.dtype, broken.shape));
    }
  }
  return made;
}

Result<Exact> run(const Kernel& kernel, const Made& made, const Type& type) {
  Exact output{type.dtype, *type.static_shape(), {}};
  output.bytes.resize(*size_bytes(output.dtype, output.shape), std::byte{0x7f});
  std::vector<ConstTensorView> inputs;
  for (const Exact& input : made.inputs) inputs.push_back(input.view());
  const TensorView view{output.dtype, output.shape, output.bytes.data()};
  Serial serial;
  TARMAC_CHECK_OK(kernel.run(inputs, {&view, 1}, serial));
  return output;
}

/// The instruction sets in turns, those that this machine has; 0 is none.
void choose_instructions(unsigned turn) {
  std::vector<std::int64_t> sets = {0};
  for (const std::int64_t set : {std::int64_t{HWY_AVX3}, std::int64_t{HWY_AVX2}}) {
    if ((hwy::SupportedTargets() & set) != 0) sets.push_back(set);
  }
  hwy::GetChosenTarget().Update(sets[turn % sets.size()]);
}

double tolerance(DType dtype, double expected) {
  const double unit = dtype == DType::kFloat16 ? 0x1p-10 : dtype == DType::kBFloat16 ? 0x1p-7 : 1e-4;
  return unit * (std::abs(expected) + 1);
}

TEST(MultiScaleDeformableAttentionFuzz, KernelsAgreeOnAnything) {
  const Operator& op = multi_scale_deformable_attention();
  int computed = 0;
  int refused = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    choose_instructions(seed);
    const Made made = make_case(random);
    std::vector<Type> types;
    for (const Exact& input : made.inputs) types.push_back(input.type());
    const auto outputs = infer_types(op, made.attributes, types);
    if (!outputs) {
      EXPECT_EQ(outputs.error().code, ErrorCode::kInvalidInput) << outputs.error().str();
      ++refused;
      continue;
    }
    const auto reference = op.reference(made.attributes);
    const auto cpu = op.cpu(made.attributes);
    ASSERT_TRUE(reference.ok() && cpu.ok());
    const auto expected = run(**reference, made, (*outputs)[0]);
    const auto found = run(**cpu, made, (*outputs)[0]);
    ASSERT_EQ(expected.ok(), found.ok());
    if (!expected) {
      EXPECT_EQ(expected.error().str(), found.error().str());
      EXPECT_EQ(found.error().code, ErrorCode::kInvalidInput);
      ++refused;
      continue;
    }
    ++computed;
    for (std::size_t i = 0; i < static_cast<std::size_t>(*element_count(expected->shape)); ++i) {
      const double right = get(*expected, i);
      const double ours = get(*found, i);
      if (std::isnan(right) && std::isnan(ours)) continue;
      ASSERT_NEAR(ours, right, tolerance(expected->dtype, right)) << "element " << i;
    }
  }
  hwy::GetChosenTarget().DeInit();
  EXPECT_GT(computed, 1000);
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace tarmac::ops
