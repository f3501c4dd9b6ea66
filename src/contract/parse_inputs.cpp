#include <algorithm>
#include <limits>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

constexpr std::size_t kMaxRank = 16;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 40U;

bool is_symbol(std::string_view word) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto letter_or_digit = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !word.empty() && letter(word[0]) && std::all_of(word.begin(), word.end(), letter_or_digit);
}

Result<InputDim> parse_dim(const Field& field) {
  if (const auto size = field.integer(1, kMaxSize); size.ok()) return InputDim{*size, {}};
  constexpr std::string_view kExpected = "a size of at least 1, or a symbol such as batch";
  TARMAC_TRY(std::string word, field.text(kExpected));
  if (!is_symbol(word)) return field.wrong(kExpected);
  return InputDim{0, std::move(word)};
}

Result<InputSpec> parse_input(const std::string& name, const Field& field) {
  TARMAC_CHECK_OK(field.allow_keys({"shape", "dtype", "layout", "geometry", "preprocess"}));
  InputSpec input;
  input.name = name;
  TARMAC_TRY(const Field shape, field.require("shape"));
  TARMAC_TRY(input.shape, parse_input_shape(shape));
  TARMAC_TRY(const Field dtype, field.require("dtype"));
  TARMAC_TRY(input.dtype, dtype.choice(kDtypeWords));
  const auto layout = field.find("layout");
  if (layout) {
    TARMAC_TRY(input.layout, layout->choice(kLayoutWords));
    if (input.shape.size() != 4) {
      return layout->error("a layout needs a shape of 4 dimensions; this input has " +
                           std::to_string(input.shape.size()));
    }
  }
  const auto preprocess = field.find("preprocess");
  if (preprocess && !layout) {
    return preprocess->error("preprocess needs the key 'layout' beside it; allowed: NCHW, NHWC");
  }
  if (const auto geometry = field.find("geometry")) {
    if (!preprocess)
      return geometry->error("geometry says how preprocess is done; add it or remove geometry");
    TARMAC_TRY(input.geometry, geometry->choice(kGeometryWords));
  }
  if (preprocess) TARMAC_CHECK_OK(parse_preprocess(*preprocess, input));
  return input;
}

}  // namespace

Result<std::vector<InputDim>> parse_input_shape(const Field& field) {
  TARMAC_TRY(const auto elements, field.elements("a list of sizes and symbols, such as [batch, 3, 64, 64]"));
  if (elements.size() > kMaxRank) return field.wrong("at most " + std::to_string(kMaxRank) + " dimensions");
  std::vector<InputDim> shape;
  for (const Field& element : elements) {
    TARMAC_TRY(shape.emplace_back(), parse_dim(element));
  }
  return shape;
}

Result<std::vector<InputSpec>> parse_inputs(const Field& field) {
  TARMAC_TRY(const auto entries, field.entries("a map from input names to their shape and dtype"));
  std::vector<InputSpec> inputs;
  for (const auto& [name, entry] : entries) {
    TARMAC_TRY(inputs.emplace_back(), parse_input(name, entry));
  }
  return inputs;
}

Result<std::vector<std::string>> parse_labels(const Field& field) {
  TARMAC_TRY(const auto elements, field.elements("a list of class names"));
  if (elements.empty()) return field.wrong("at least one class name");
  std::vector<std::string> labels;
  for (const Field& element : elements) {
    TARMAC_TRY(std::string label, element.text("a class name (a number goes in quotes)"));
    if (std::find(labels.begin(), labels.end(), label) != labels.end()) {
      return element.error("found the label " + quote(label) + " again; labels are unique");
    }
    labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace tarmac
