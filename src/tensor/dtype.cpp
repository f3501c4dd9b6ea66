#include <array>

#include "tarmac/tensor.h"

namespace tarmac {
namespace {

enum class Kind : std::uint8_t { kOther, kFloat, kInteger };

struct Row {
  const char* name;
  int bits;
  Kind kind;
};

// Indexed by the value of DType.
constexpr std::array<Row, 27> kRows = {{
    {"undefined", 0, Kind::kOther},      {"float32", 32, Kind::kFloat},   {"uint8", 8, Kind::kInteger},
    {"int8", 8, Kind::kInteger},         {"uint16", 16, Kind::kInteger},  {"int16", 16, Kind::kInteger},
    {"int32", 32, Kind::kInteger},       {"int64", 64, Kind::kInteger},   {"string", 0, Kind::kOther},
    {"bool", 8, Kind::kOther},           {"float16", 16, Kind::kFloat},   {"float64", 64, Kind::kFloat},
    {"uint32", 32, Kind::kInteger},      {"uint64", 64, Kind::kInteger},  {"complex64", 64, Kind::kOther},
    {"complex128", 128, Kind::kOther},   {"bfloat16", 16, Kind::kFloat},  {"float8e4m3fn", 8, Kind::kFloat},
    {"float8e4m3fnuz", 8, Kind::kFloat}, {"float8e5m2", 8, Kind::kFloat}, {"float8e5m2fnuz", 8, Kind::kFloat},
    {"uint4", 4, Kind::kInteger},        {"int4", 4, Kind::kInteger},     {"float4e2m1", 4, Kind::kFloat},
    {"float8e8m0", 8, Kind::kFloat},     {"uint2", 2, Kind::kInteger},    {"int2", 2, Kind::kInteger},
}};

struct Alias {
  std::string_view name;
  DType dtype;
};

constexpr std::array<Alias, 6> kAliases = {{{"fp32", DType::kFloat32},
                                            {"float", DType::kFloat32},
                                            {"fp16", DType::kFloat16},
                                            {"half", DType::kFloat16},
                                            {"bf16", DType::kBFloat16},
                                            {"double", DType::kFloat64}}};

const Row& row(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return kRows[index < kRows.size() ? index : 0];
}

}  // namespace

const char* to_string(DType dtype) { return row(dtype).name; }
int bit_width(DType dtype) { return row(dtype).bits; }
bool is_floating_point(DType dtype) { return row(dtype).kind == Kind::kFloat; }
bool is_integer(DType dtype) { return row(dtype).kind == Kind::kInteger; }

DType dtype_from_string(std::string_view name) {
  for (std::size_t i = 1; i < kRows.size(); ++i) {
    if (name == kRows[i].name) return static_cast<DType>(i);
  }
  for (const Alias& alias : kAliases) {
    if (name == alias.name) return alias.dtype;
  }
  return DType::kUndefined;
}

}  // namespace tarmac
