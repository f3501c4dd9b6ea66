#include "contract/field.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace tarmac {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment distance, blind to case: insertions, deletions, substitutions, swaps of
/// neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  for (std::size_t j = 0; j < width; ++j) table[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t* row = &table[i * width];
    const std::size_t* above = row - width;
    row[0] = i;
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      const bool swapped =
          i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], table[(i - 2) * width + j - 2] + 1);
    }
  }
  return table.back();
}

std::string suggestion(std::string_view word, std::span<const std::string_view> allowed) {
  const std::string_view near = closest_word(word, allowed);
  return (near.empty() ? "" : "did you mean '" + std::string(near) + "'? ") + "allowed: " + join(allowed);
}

/// The whole of `text` as a finite number, independent of the locale.
std::optional<double> to_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

std::string_view closest_word(std::string_view word, std::span<const std::string_view> allowed) {
  constexpr std::size_t kLongestWord = 40;
  if (word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string_view candidate : allowed) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string join(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

Error Field::error(const std::string& message, ErrorCode code) const {
  return make_error(code, path_.empty() ? message : path_ + ": " + message, {},
                    source_->file.string() + ":" + std::to_string(node_->line));
}

std::string Field::describe() const {
  switch (node_->kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return node_->quoted ? "the text " + quote(node_->scalar) : quote(node_->scalar);
    case YamlNode::Kind::kSequence:
      return "a list of " + std::to_string(node_->items.size());
    case YamlNode::Kind::kMap:
      return "a map of " + std::to_string(node_->items.size());
  }
  return {};
}

Error Field::wrong(std::string_view expected) const {
  return error("found " + describe() + "; expected " + std::string(expected));
}

Error Field::wrong_word(std::span<const std::string_view> allowed) const {
  const std::string_view word = is_scalar() ? std::string_view(node_->scalar) : std::string_view();
  return error("found " + describe() + "; " + suggestion(word, allowed));
}

Status Field::allow_keys(std::span<const std::string_view> words) const {
  if (!is_map()) return wrong("a map with the keys " + join(words));
  for (std::size_t i = 0; i < node_->keys.size(); ++i) {
    const std::string& key = node_->keys[i];
    if (std::find(words.begin(), words.end(), key) != words.end()) continue;
    YamlNode at;
    at.line = node_->key_lines[i];
    return child(at, path_).error("found the unknown key " + quote(key) + "; " + suggestion(key, words));
  }
  return {};
}

std::optional<Field> Field::find(std::string_view key) const {
  const YamlNode* value = node_->find(key);
  if (value == nullptr) return std::nullopt;
  return child(*value, path_.empty() ? std::string(key) : path_ + "." + std::string(key));
}

Result<Field> Field::require(std::string_view key) const {
  if (auto field = find(key)) return *std::move(field);
  return error("the key '" + std::string(key) + "' is missing; it is mandatory here");
}

Result<std::vector<std::pair<std::string, Field>>> Field::entries(std::string_view expected) const {
  if (!is_map() || node_->items.empty()) return wrong(expected);
  std::vector<std::pair<std::string, Field>> fields;
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    fields.emplace_back(node_->keys[i], child(node_->items[i], path_ + "." + node_->keys[i]));
  }
  return fields;
}

Result<std::vector<Field>> Field::elements(std::string_view expected) const {
  if (node_->kind != YamlNode::Kind::kSequence) return wrong(expected);
  std::vector<Field> fields;
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    fields.push_back(child(node_->items[i], path_ + "[" + std::to_string(i) + "]"));
  }
  return fields;
}

Result<std::string> Field::text(std::string_view expected) const {
  const bool is_number = is_scalar() && !node_->quoted && to_number(node_->scalar).has_value();
  if (!is_scalar() || is_number || node_->scalar.empty()) return wrong(expected);
  return node_->scalar;
}

Result<std::string> Field::identifier(std::string_view expected) const {
  TARMAC_TRY(std::string word, text(expected));
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (!std::all_of(word.begin(), word.end(), allowed) || word[0] == '-' || word[0] == '.')
    return wrong(expected);
  return word;
}

Result<bool> Field::boolean() const {
  if (is_scalar() && !node_->quoted && node_->scalar == "true") return true;
  if (is_scalar() && !node_->quoted && node_->scalar == "false") return false;
  return wrong("true or false");
}

Result<std::int64_t> Field::integer(std::int64_t min, std::int64_t max) const {
  const std::string expected =
      max == std::numeric_limits<std::int64_t>::max()
          ? "a whole number of at least " + std::to_string(min)
          : "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!is_scalar() || node_->quoted) return wrong(expected);
  std::int64_t value = 0;
  const char* last = node_->scalar.data() + node_->scalar.size();
  const auto [end, error] = std::from_chars(node_->scalar.data(), last, value);
  if (error != std::errc() || end != last || value < min || value > max) return wrong(expected);
  return value;
}

Result<int> Field::small_integer(int min, int max) const {
  TARMAC_TRY(const std::int64_t value, integer(min, max));
  return static_cast<int>(value);
}

Result<double> Field::number() const {
  if (is_scalar() && !node_->quoted) {
    if (const auto value = to_number(node_->scalar)) return *value;
  }
  return wrong("a number");
}

Result<double> Field::ratio() const {
  constexpr std::string_view kExpected = "a number above 0, or a fraction such as 1/255";
  if (!is_scalar() || node_->quoted) return wrong(kExpected);
  const std::string_view text = node_->scalar;
  const std::size_t slash = text.find('/');
  const auto numerator = to_number(text.substr(0, slash));
  const auto denominator = slash == std::string_view::npos ? 1.0 : to_number(text.substr(slash + 1));
  if (!numerator || !denominator || *numerator <= 0 || *denominator <= 0) return wrong(kExpected);
  const double value = *numerator / *denominator;
  if (!std::isnormal(value)) return wrong(kExpected);
  return value;
}

Result<double> Field::quantity(std::initializer_list<Unit> units, std::string_view expected) const {
  if (!is_scalar() || node_->quoted) return wrong(expected);
  const std::string_view text = node_->scalar;
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.word)) continue;
    std::string_view digits = text.substr(0, text.size() - unit.word.size());
    if (digits.ends_with(' ')) digits.remove_suffix(1);
    const auto value = to_number(digits);
    if (value && *value >= 0 && std::isfinite(*value * unit.factor)) return *value * unit.factor;
  }
  return wrong(expected);
}

Result<double> Field::percent() const {
  constexpr std::string_view kExpected = "a percentage from 0% to 100%, such as 1%";
  TARMAC_TRY(const double value, quantity({{"%", 1.0}}, kExpected));
  if (value > 100.0) return wrong(kExpected);
  return value / 100.0;
}

Result<double> Field::milliseconds() const {
  constexpr std::string_view kExpected = "a time above 0 in us, ms or s, such as 10 ms";
  TARMAC_TRY(const double value, quantity({{"us", 1e-3}, {"ms", 1.0}, {"s", 1e3}}, kExpected));
  if (value <= 0) return wrong(kExpected);
  return value;
}

Result<std::uint64_t> Field::bytes() const {
  constexpr std::string_view kExpected = "a size above 0 in KiB, MiB, GiB, kB, MB or GB, such as 500 MiB";
  constexpr double kLargest = 9e15;  // whole numbers are exact in a double
  TARMAC_TRY(
      const double value,
      quantity(
          {{"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}},
          kExpected));
  if (value < 1 || value > kLargest) return wrong(kExpected);
  return static_cast<std::uint64_t>(std::llround(value));
}

Result<double> Field::rate_per_second() const {
  constexpr std::string_view kExpected = "a rate above 0 a second, such as 100 /s";
  TARMAC_TRY(const double value, quantity({{"/s", 1.0}}, kExpected));
  if (value <= 0) return wrong(kExpected);
  return value;
}

Result<double> Field::metres_per_second() const {
  return quantity({{"m/s", 1.0}}, "a speed of at least 0 m/s, such as 0.1 m/s");
}

Result<std::filesystem::path> Field::existing_file() const {
  TARMAC_TRY(const std::string word, text("the path of a file, relative to the contract"));
  return existing_file(word);
}

Result<std::filesystem::path> Field::existing_file(const std::string& word) const {
  std::filesystem::path path = source_->file.parent_path() / word;
  std::error_code failed;
  if (source_->options.files_must_exist && !std::filesystem::is_regular_file(path, failed)) {
    const bool is_folder = std::filesystem::is_directory(path, failed);
    return error((is_folder ? "found the folder " : "there is no file ") + quote(path.string()) +
                     (is_folder ? "; expected a file" : "; correct the path or put the file there"),
                 ErrorCode::kNotFound);
  }
  return path;
}

Result<std::filesystem::path> Field::existing_folder() const {
  TARMAC_TRY(const std::string word, text("the path of a folder, relative to the contract"));
  std::filesystem::path path = source_->file.parent_path() / word;
  std::error_code failed;
  if (source_->options.files_must_exist && !std::filesystem::is_directory(path, failed)) {
    const bool is_file = std::filesystem::exists(path, failed);
    return error((is_file ? "found the file " : "there is no folder ") + quote(path.string()) +
                     (is_file ? "; expected a folder" : "; correct the path or put the pictures there"),
                 ErrorCode::kNotFound);
  }
  return path;
}

}  // namespace tarmac
