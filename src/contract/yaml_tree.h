// YAML text as a small tree that remembers line numbers. yaml-cpp scans; its own node graph, which resolves
// aliases and drops duplicate keys, is not used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  int line = 1;         ///< 1-based; of the key, for a value in a map.
  bool quoted = false;  ///< A scalar in quotes is text, never a number.
  std::string scalar;
  std::vector<YamlNode> items;    ///< Elements of a sequence, or values of a map.
  std::vector<std::string> keys;  ///< Keys of a map, unique, parallel to `items`.
  std::vector<int> key_lines;     ///< Lines of the keys.

  /// Null when the map has no such key.
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
};

/// Parses one document. `file` is the name in errors. Errors (kInvalidInput, context "file:line"): bad YAML,
/// anchors, aliases, tags, keys that are not plain text, duplicate keys, nesting deeper than 16, more than
/// 20,000 nodes, control characters; kResourceExhausted: more than 1 MiB.
Result<YamlNode> parse_yaml(std::string_view text, const std::string& file);

/// 'text' in quotes for a message: control characters as \xNN, shortened after 200 bytes.
std::string quote(std::string_view text);

}  // namespace tarmac
