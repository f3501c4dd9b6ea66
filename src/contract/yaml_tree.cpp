#include "contract/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <new>
#include <sstream>
#include <utility>

#include "base/edge.h"

namespace tarmac {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxNodes = 20'000;
constexpr std::size_t kMaxQuotedBytes = 200;

Error error_at(const std::string& file, int line, std::string message) {
  return make_error(ErrorCode::kInvalidInput, std::move(message), {}, file + ":" + std::to_string(line));
}

/// Leaves yaml-cpp's parser from inside an event; never leaves parse_yaml().
struct Refusal {
  int line;
  std::string message;
};

int line_of(const YAML::Mark& mark) { return mark.line + 1; }

/// Builds the tree. Open containers are a stack; a closed one is moved into the one around it.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(start(mark, "", anchor, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refusal{line_of(mark), "found a YAML alias (*name); aliases are not allowed, write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = start(mark, tag, anchor, YamlNode::Kind::kScalar);
    node.scalar = value;
    node.quoted = tag == "!";
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(start(mark, tag, anchor, YamlNode::Kind::kSequence));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(start(mark, tag, anchor, YamlNode::Kind::kMap));
  }
  void OnMapEnd() override { close(); }

 private:
  YamlNode start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    const int line = line_of(mark);
    if (anchor != YAML::NullAnchor) {
      throw Refusal{line, "found a YAML anchor (&name); anchors are not allowed, write the value out"};
    }
    // yaml-cpp gives "?" to plain and "!" to quoted values that carry no tag.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refusal{line, "found the YAML tag " + quote(tag) + "; tags are not allowed"};
    }
    if (++node_count_ > kMaxNodes) {
      throw Refusal{
          line, "found more than " + std::to_string(kMaxNodes) + " YAML values; a contract is far smaller"};
    }
    YamlNode node;
    node.kind = kind;
    node.line = line;
    return node;
  }

  void open(YamlNode node) {
    if (stack_.size() >= kMaxDepth) {
      throw Refusal{node.line, "found nesting deeper than " + std::to_string(kMaxDepth) +
                                   " levels; a contract needs fewer"};
    }
    // A container in the place of a key is found here, before its inside is read.
    if (expects_key()) throw Refusal{node.line, "found a list or map as a key; keys are plain words"};
    stack_.push_back(std::move(node));
  }

  void close() {
    YamlNode node = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(node));
  }

  [[nodiscard]] bool expects_key() const {
    return !stack_.empty() && stack_.back().kind == YamlNode::Kind::kMap &&
           stack_.back().keys.size() == stack_.back().items.size();
  }

  void add(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
    } else if (expects_key()) {
      add_key(stack_.back(), node);
    } else {
      YamlNode& parent = stack_.back();
      // An absent or block value begins on a later line than its key, where the reader looks.
      if (parent.kind == YamlNode::Kind::kMap) node.line = parent.key_lines.back();
      parent.items.push_back(std::move(node));
    }
  }

  static void add_key(YamlNode& map, const YamlNode& key) {
    if (key.kind != YamlNode::Kind::kScalar)
      throw Refusal{key.line, "found an empty key; keys are plain words"};
    if (const auto found = std::find(map.keys.begin(), map.keys.end(), key.scalar); found != map.keys.end()) {
      const int first = map.key_lines[static_cast<std::size_t>(found - map.keys.begin())];
      throw Refusal{key.line, "found the key " + quote(key.scalar) + " again (first on line " +
                                  std::to_string(first) + "); each key is allowed once"};
    }
    map.keys.push_back(key.scalar);
    map.key_lines.push_back(key.line);
  }

  std::vector<YamlNode> stack_;
  YamlNode root_;
  std::size_t node_count_ = 0;
};

/// The line of the first byte that no text file has, or 0. UTF-16 and UTF-32 hold zero bytes and end here
/// too.
int find_control_character(std::string_view text) {
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) return line;
  }
  return 0;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto found = std::find(keys.begin(), keys.end(), key);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

std::string quote(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted = "'";
  for (const char c : text.substr(0, kMaxQuotedBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      quoted += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
    } else {
      quoted += c;
    }
  }
  return quoted + (text.size() > kMaxQuotedBytes ? "…'" : "'");
}

Result<YamlNode> parse_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxBytes) {
    return make_error(ErrorCode::kResourceExhausted,
                      "found " + std::to_string(text.size()) + " bytes; a contract has at most 1 MiB", {},
                      file);
  }
  if (const int line = find_control_character(text); line != 0) {
    return error_at(file, line, "found a control character; a contract is UTF-8 text");
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder))
      return error_at(file, 1, "found an empty file; expected a contract");
    YamlNode root = builder.take();
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest)) {
      return error_at(file, rest.take().line, "found a second YAML document; a contract file holds one");
    }
    return root;
  } catch (const Refusal& refusal) {
    return error_at(file, refusal.line, refusal.message);
  } catch (const YAML::Exception& error) {
    return error_at(file, std::max(line_of(error.mark), 1), "found invalid YAML: " + error.msg);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    return error_at(file, 1, std::string("found invalid YAML: ") + error.what());
  }
}

}  // namespace tarmac
