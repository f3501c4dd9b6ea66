#include "targets/common/guard.h"

#include <sstream>
#include <string_view>

namespace tarmac {
namespace {

constexpr std::size_t kMaxLines = 4;
constexpr std::size_t kMaxCharacters = 500;

/// Removes the text from `begin` to the end of the first `end` after it.
bool cut(std::string& text, std::size_t begin, std::string_view end) {
  const auto found = text.find(end, begin);
  if (found == std::string::npos) return false;
  text.erase(begin, found + end.size() - begin);
  return true;
}

/// Removes what only the engine's developers need: source places and the text of failed checks.
std::string strip_places(std::string line) {
  line += ' ';  // so that every word ends in a space
  for (bool changed = true; changed;) {
    line.erase(0, line.find_first_not_of(" \t\r"));
    changed = (line.starts_with("Exception from ") && cut(line, 0, ": ")) ||
              (line.starts_with("Check '") && line.find("' failed at ") != std::string::npos &&
               cut(line, 0, "' failed at ") && cut(line, 0, " ")) ||
              (line.starts_with("FrontEnd API failed with ") && cut(line, 0, ": ")) ||
              (line.starts_with("Summary: ") && cut(line, 0, " ")) ||
              (line.starts_with("-- ") && cut(line, 0, " "));
  }
  for (auto place = line.find("/onnxruntime_src/"); place != std::string::npos;
       place = line.find("/onnxruntime_src/")) {
    if (!cut(line, place, " ")) break;
  }
  line.resize(std::min(line.size(), line.find("To facilitate the conversion of unsupported operations")));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  return line;
}

/// What stands between two texts; empty when they are not both there.
std::string between(const std::string& message, std::string_view before, std::string_view after) {
  const auto begin = message.find(before);
  if (begin == std::string::npos) return {};
  const auto end = message.find(after, begin + before.size());
  return end == std::string::npos ? std::string{}
                                  : message.substr(begin + before.size(), end - begin - before.size());
}

std::string node_name(const std::string& message) {
  // OpenVINO's front end: <Node(Relu): name>
  std::string name = between(between(message, "<Node(", ">") + ">", "): ", ">");
  // ONNX Runtime: shape inference, kernels that are missing, kernels that fail
  if (name.empty()) name = between(message, "Node (", ") Op (");
  if (name.empty()) name = between(message, "node with name '", "'");
  if (name.empty()) name = between(message, "Name:'", "'");
  return name;
}

}  // namespace

Error engine_error(ErrorCode code, std::string_view doing, const std::string& engine_message) {
  // OpenVINO makes an exception of its own of it.
  if (engine_message.find("std::bad_alloc") != std::string::npos)
    return make_error(ErrorCode::kResourceExhausted, std::string(doing) + ": the engine ran out of memory");
  std::istringstream lines(engine_message);
  std::string text;
  std::size_t kept = 0;
  for (std::string line; kept < kMaxLines && std::getline(lines, line);) {
    line = strip_places(line);
    if (line.empty()) continue;
    const bool sentence = text.empty() || text.back() == '.' || text.back() == ':';
    text += (kept++ == 0 ? "" : sentence ? " " : "; ") + line;
  }
  if (text.size() > kMaxCharacters) text = text.substr(0, kMaxCharacters) + "…";
  if (text.empty()) text = "the engine failed without saying why";
  return make_error(code, std::string(doing) + ": " + text, node_name(engine_message));
}

}  // namespace tarmac
