// What a driving operator is: one row for each, from which onnx's schema, the engines' bindings, the checks
// and the documentation follow.
#pragma once

#include <cassert>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "ops/kernel.h"

namespace tarmac::ops {

/// The ONNX domain of the driving operators.
inline constexpr const char* kDomain = "tarmac";
/// Its newest version: the highest Operator::version.
inline constexpr std::int64_t kDomainVersion = 1;

/// The kinds of attributes that driving operators have.
using AttributeValue =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;
using Attributes = std::map<std::string, AttributeValue, std::less<>>;

/// An input or output.
struct Operand {
  const char* name;
  const char* doc;  ///< shape in the letters of the operator's formula, unit, meaning
  std::vector<DType> dtypes;
  bool optional = false;
};

/// An attribute.
struct AttributeSpec {
  const char* name;
  const char* doc;       ///< meaning, unit, allowed values
  AttributeValue value;  ///< the default; where `required`, any value of the right kind
  bool required = false;
};

struct Operator {
  const char* name;
  std::int64_t version = 1;
  const char* doc;  ///< formula and source (paper, the project that it comes from)
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;
  std::vector<AttributeSpec> attributes;

  /// Types of all outputs. `inputs` has one entry for each of the schema's inputs: kNone where it is left
  /// out; dtype, rank and sizes may be unknown, as onnx's shape inference has them. `attributes` are
  /// complete. Also the one place that checks shapes against each other: kInvalidInput, with what was found
  /// and expected.
  Result<std::vector<Type>> (*infer)(const Attributes& attributes, std::span<const Type> inputs);

  /// The plain loop that says what is right. Takes the same dtypes as the fast one.
  Result<std::unique_ptr<Kernel>> (*reference)(const Attributes& attributes);
  /// The fast one for CPUs.
  Result<std::unique_ptr<Kernel>> (*cpu)(const Attributes& attributes);
};

/// The given attributes with defaults filled in. Errors: kInvalidModel for an unknown name, a wrong kind, or
/// a required one that is missing.
Result<Attributes> complete_attributes(const Operator& op, const Attributes& given);

/// A node's attributes, complete. Errors: as complete_attributes(), with the node's name; also for kinds that
/// no driving operator has.
Result<Attributes> attributes_of(const Operator& op, const Node& node);

/// Types of the outputs after the number of inputs, their dtypes and which may be left out were checked;
/// calls `infer`. Errors: kInvalidInput.
Result<std::vector<Type>> infer_types(const Operator& op, const Attributes& attributes,
                                      std::span<const Type> inputs);

/// Reads a complete attribute; asserts that the schema declares it with this kind.
template <typename T>
const T& get(const Attributes& attributes, std::string_view name) {
  const auto found = attributes.find(name);
  assert(found != attributes.end() && std::holds_alternative<T>(found->second));
  return std::get<T>(found->second);
}

}  // namespace tarmac::ops
