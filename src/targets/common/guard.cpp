#include "targets/common/guard.h"

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

namespace tarmac {
namespace {

constexpr std::size_t kMaxLines = 4;
constexpr std::size_t kMaxCharacters = 500;

/// Removes what only the engine's developers need: source places and the text of failed checks.
std::string strip_places(std::string line) {
  static const std::array<std::regex, 7> kNoise{
      std::regex(R"(Exception from \S+:\d+:)"),
      std::regex(R"(Check '.*' failed at \S+:\d+:)"),
      std::regex(R"(While validating node '.*?' with friendly_name)"),
      std::regex(R"(\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : )"),
      std::regex(R"(/onnxruntime_src/\S+:\d+ )"),
      std::regex(R"(To facilitate the conversion of unsupported operations.*|^Summary:|^-- )"),
      std::regex(R"(\b(FrontEnd API failed with \w+:|Error during layer creation:))"),
  };
  for (const auto& noise : kNoise) line = std::regex_replace(line, noise, "");
  const auto first = line.find_first_not_of(" \t\r:");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

std::string node_name(const std::string& message) {
  static const std::array<std::regex, 4> kNames{
      std::regex(R"(<Node\([^)]*\): ([^>]+)>)"),        // OpenVINO's ONNX front end
      std::regex(R"((?:Node name|Name): ?'([^']+)')"),  // ONNX Runtime, kernels
      std::regex(R"(Node \(([^)]+)\) Op \()"),          // ONNX Runtime, shape inference
      std::regex(R"(node with name '([^']+)')"),        // ONNX Runtime, missing kernels
  };
  std::smatch found;
  for (const auto& name : kNames) {
    if (std::regex_search(message, found, name)) return found[1];
  }
  return {};
}

}  // namespace

Error engine_error(ErrorCode code, const std::string& doing, const std::string& engine_message) {
  std::istringstream lines(
      engine_message.substr(0, 64 * kMaxCharacters));  // <regex> recurses: keep its input short
  std::string text;
  std::size_t kept = 0;
  for (std::string line; kept < kMaxLines && std::getline(lines, line);) {
    line = strip_places(line.substr(0, 2 * kMaxCharacters));
    if (line.empty()) continue;
    const bool sentence = text.empty() || text.back() == '.' || text.back() == ':';
    text += (kept++ == 0 ? "" : sentence ? " " : "; ") + line;
  }
  if (text.size() > kMaxCharacters) text = text.substr(0, kMaxCharacters) + "…";
  if (text.empty()) text = "the engine failed without saying why";
  return make_error(code, doing + ": " + text, node_name(engine_message.substr(0, 8 * kMaxCharacters)));
}

}  // namespace tarmac
