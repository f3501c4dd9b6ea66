// A value of the contract together with where it stands, and typed, strict readings of it. Every reading that
// fails says `file:line: path: found X; expected Y`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/yaml_tree.h"
#include "tarmac/contract.h"
#include "tarmac/result.h"

namespace tarmac {

/// What every field of one file shares.
struct ContractSource {
  std::filesystem::path file;
  ContractOptions options;
};

/// The nearest word within an edit distance of a third of its length, or empty.
std::string_view closest_word(std::string_view word, std::span<const std::string_view> allowed);

/// "a, b, c"
std::string join(std::span<const std::string_view> words);

template <typename T>
struct Choice {
  std::string_view word;
  T value;
};

/// Borrows the tree and the source, which outlive it.
class Field {
 public:
  Field(const YamlNode& node, std::string path, const ContractSource& source)
      : node_(&node), path_(std::move(path)), source_(&source) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const ContractSource& source() const { return *source_; }
  [[nodiscard]] bool is_scalar() const { return node_->kind == YamlNode::Kind::kScalar; }
  [[nodiscard]] bool is_map() const { return node_->kind == YamlNode::Kind::kMap; }

  /// "path: message" at this field's line.
  [[nodiscard]] Error error(const std::string& message, ErrorCode code = ErrorCode::kInvalidInput) const;
  /// "path: found <this>; expected <expected>"
  [[nodiscard]] Error wrong(std::string_view expected) const;
  /// "path: found 'word'; did you mean 'x'? allowed: …"
  [[nodiscard]] Error wrong_word(std::span<const std::string_view> allowed) const;

  /// Checks that this is a map with no other keys than `allowed`.
  [[nodiscard]] Status allow_keys(std::span<const std::string_view> allowed) const;
  [[nodiscard]] Status allow_keys(std::initializer_list<std::string_view> allowed) const {
    return allow_keys(std::span(allowed.begin(), allowed.size()));
  }
  [[nodiscard]] std::optional<Field> find(std::string_view key) const;
  [[nodiscard]] Result<Field> require(std::string_view key) const;
  /// Keys and values of a map with free keys, at least one.
  [[nodiscard]] Result<std::vector<std::pair<std::string, Field>>> entries(std::string_view expected) const;
  /// Elements of a list.
  [[nodiscard]] Result<std::vector<Field>> elements(std::string_view expected) const;

  /// Non-empty text, not a number or a list.
  [[nodiscard]] Result<std::string> text(std::string_view expected = "text") const;
  /// Letters, digits, '_', '-' and '.', not starting with '-' or '.'.
  [[nodiscard]] Result<std::string> identifier(std::string_view expected) const;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
  [[nodiscard]] Result<int> small_integer(int min, int max) const;
  /// A finite number.
  [[nodiscard]] Result<double> number() const;
  /// A number or a fraction a/b, both finite, > 0.
  [[nodiscard]] Result<double> ratio() const;
  /// "1%" → 0.01; 0 to 100 %.
  [[nodiscard]] Result<double> percent() const;
  /// "10 ms" → 10; units us, ms, s; > 0.
  [[nodiscard]] Result<double> milliseconds() const;
  /// "500 MiB"; units KiB, MiB, GiB, kB, MB, GB; > 0.
  [[nodiscard]] Result<std::uint64_t> bytes() const;
  /// "100 /s" → 100; > 0.
  [[nodiscard]] Result<double> rate_per_second() const;
  /// "0.1 m/s" → 0.1; ≥ 0.
  [[nodiscard]] Result<double> metres_per_second() const;

  template <typename T, std::size_t N>
  [[nodiscard]] Result<T> choice(const Choice<T> (&choices)[N]) const {
    std::vector<std::string_view> words;
    for (const Choice<T>& candidate : choices) {
      if (is_scalar() && node_->scalar == candidate.word) return candidate.value;
      words.push_back(candidate.word);
    }
    return wrong_word(words);
  }

  /// A path joined with the contract's folder; when files must exist, a regular file (a folder) that does.
  [[nodiscard]] Result<std::filesystem::path> existing_file() const;
  [[nodiscard]] Result<std::filesystem::path> existing_folder() const;
  /// existing_file() of a part of this field's text.
  [[nodiscard]] Result<std::filesystem::path> existing_file(const std::string& word) const;

 private:
  [[nodiscard]] Field child(const YamlNode& node, const std::string& path) const {
    return {node, path, *source_};
  }
  [[nodiscard]] std::string describe() const;
  struct Unit {
    std::string_view word;
    double factor;
  };
  [[nodiscard]] Result<double> quantity(std::initializer_list<Unit> units, std::string_view expected) const;

  const YamlNode* node_;
  std::string path_;
  const ContractSource* source_;
};

}  // namespace tarmac
