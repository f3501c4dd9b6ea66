// Driving operators given nonsense: types that do not fit, attributes out of range, numbers that mean
// nothing. Sanitizers look on; what is accepted must run in both kernels and end the same way.
#include <limits>
#include <random>

#include "ops/registry.h"
#include "support/expect.h"
#include "support/operator_check.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

constexpr int kTries = 4000;
constexpr std::int64_t kMostElements = 1 << 16;

class Draw {
 public:
  explicit Draw(unsigned seed) : generator_(seed) {}

  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator_);
  }
  bool chance(int percent) { return integer(1, 100) <= percent; }
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[static_cast<std::size_t>(integer(0, static_cast<std::int64_t>(values.size()) - 1))];
  }

  double number() {
    static const std::vector<double> odd = {0,
                                            -0.0,
                                            1,
                                            -1,
                                            0.5,
                                            1e-30,
                                            -1e30,
                                            1e38,
                                            std::numeric_limits<double>::infinity(),
                                            -std::numeric_limits<double>::infinity(),
                                            std::numeric_limits<double>::quiet_NaN()};
    return chance(15) ? one_of(odd) : std::uniform_real_distribution<double>(-3, 9)(generator_);
  }

  ops::AttributeValue attribute(const ops::AttributeValue& like) {
    return std::visit(
        [&](const auto& value) -> ops::AttributeValue {
          using Held = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Held, std::int64_t>) return small_integer();
          if constexpr (std::is_same_v<Held, float>) return static_cast<float>(number());
          if constexpr (std::is_same_v<Held, std::string>)
            return chance(70) ? value : std::string("nonsense");
          if constexpr (std::is_same_v<Held, std::vector<std::int64_t>>) {
            Held list(length(value.size()));
            for (auto& item : list) item = small_integer();
            return list;
          }
          if constexpr (std::is_same_v<Held, std::vector<float>>) {
            Held list(length(value.size()));
            for (auto& item : list) item = static_cast<float>(number());
            return list;
          }
        },
        like);
  }

  Type type(const ops::Operand& operand) {
    Type result = Type::tensor(chance(90) ? one_of(operand.dtypes) : DType::kString);
    if (chance(10)) return result;
    result.shape.emplace();
    const std::int64_t rank = integer(0, 6);
    for (std::int64_t i = 0; i < rank; ++i)
      result.shape->push_back(chance(5) ? Dim() : Dim::of(integer(0, 4)));
    return result;
  }

  Tensor tensor(DType dtype, const Shape& shape) {
    std::vector<double> values(static_cast<std::size_t>(*element_count(shape)));
    for (double& value : values) value = is_integer(dtype) ? static_cast<double>(small_integer()) : number();
    return test::expect_ok(from_doubles(dtype, shape, values));
  }

 private:
  std::int64_t small_integer() {
    static const std::vector<std::int64_t> odd = {-1, std::numeric_limits<std::int32_t>::max(),
                                                  std::numeric_limits<std::int32_t>::min(), 1 << 20};
    return chance(15) ? one_of(odd) : integer(0, 6);
  }
  std::size_t length(std::size_t usual) {
    return chance(80) ? usual : static_cast<std::size_t>(integer(0, 7));
  }

  std::mt19937 generator_;
};

/// Mostly types of the ranks and sizes that shape inference wants, found by trying: random ones seldom fit.
void try_once(const ops::Operator& op, Draw& draw, int& ran) {
  ops::Attributes attributes;
  for (const auto& spec : op.attributes) {
    if (spec.required || draw.chance(30)) attributes.emplace(spec.name, draw.attribute(spec.value));
  }
  std::vector<Type> types;
  for (const auto& operand : op.inputs)
    types.push_back(operand.optional && draw.chance(50) ? Type() : draw.type(operand));
  const auto complete = ops::complete_attributes(op, attributes);
  if (!complete) return;
  const auto results = ops::infer_types(op, *complete, types);
  if (!results) return;
  test::OperatorCase test{.name = op.name, .op = op, .attributes = attributes, .inputs = {}};
  for (const Type& type : types) {
    const auto shape = type.static_shape();
    if (type.kind != Type::Kind::kNone && (!shape || type.dtype == DType::kUndefined)) return;
    test.inputs.push_back(shape ? draw.tensor(type.dtype, *shape) : Tensor());
  }
  for (const Type& type : *results) {
    const auto shape = type.static_shape();
    if (!shape) return;
    const auto count = element_count(*shape);
    if (!count || *count > kMostElements) return;
  }
  ops::Serial serial;
  const auto plain = test::run_kernel(test, true, serial);
  const auto fast = test::run_kernel(test, false, serial);
  EXPECT_EQ(plain.ok(), fast.ok()) << op.name << ": "
                                   << (plain.ok() ? fast.error().str() : plain.error().str());
  ++ran;
}

TEST(OperatorsFuzz, NonsenseIsRefusedOrComputedNeverRead) {
  for (const ops::Operator* op : ops::all_operators()) {
    Draw draw(20261);
    int ran = 0;
    for (int i = 0; i < kTries; ++i) try_once(*op, draw, ran);
    RecordProperty(std::string("ran_") + op->name, ran);
  }
}

}  // namespace
}  // namespace tarmac
