#include "setup/layers.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <regex>

namespace tarmac::setup {
namespace {

namespace fs = std::filesystem;

struct VendorRule {
  std::string header_prefix;
  std::vector<std::string> places;  ///< path prefixes, relative to the root, where it may be included
};

const std::vector<VendorRule>& vendor_rules() {
  static const std::vector<VendorRule> rules = {
      {"openvino/", {"src/targets/openvino/"}},
      {"onnxruntime_", {"src/targets/onnxruntime/"}},
      {"opencv2/",
       {"src/contract/preprocess", "src/contract/picture", "src/contract/video", "src/report/picture"}},
      {"cuda", {"src/targets/cuda/", "src/targets/tensorrt/", "src/ops/"}},
      {"cudnn", {"src/targets/cuda/"}},
      {"NvInfer", {"src/targets/tensorrt/"}},
  };
  return rules;
}

bool starts_with_any(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return text.starts_with(prefix); });
}

/// Position in the order, or nothing for a folder that is not a layer.
std::optional<size_t> rank(const std::vector<std::string>& layers, const std::string& folder) {
  const auto found = std::find(layers.begin(), layers.end(), folder);
  if (found == layers.end()) return std::nullopt;
  return static_cast<size_t>(found - layers.begin());
}

/// "openvino" for "targets/openvino/session.h"; empty for files directly in targets/.
std::string target_of(const std::string& path) {
  const std::string prefix = "targets/";
  const size_t slash = path.starts_with(prefix) ? path.find('/', prefix.size()) : std::string::npos;
  return slash == std::string::npos ? "" : path.substr(prefix.size(), slash - prefix.size());
}

/// Says what is wrong with `file` (relative to the root) including `header`, or an empty string.
std::string judge(const std::string& file, const std::string& header,
                  const std::vector<std::string>& layers) {
  for (const VendorRule& rule : vendor_rules()) {
    if (header.starts_with(rule.header_prefix) && !starts_with_any(file, rule.places)) {
      return "vendor header <" + header + "> outside " + rule.places.front();
    }
  }
  if (!file.starts_with("src/")) {
    const bool ours = rank(layers, header.substr(0, header.find('/'))).has_value();
    return ours && header.find('/') != std::string::npos ? "a public header includes the internal " + header
                                                         : "";
  }
  const std::string inside = file.substr(4);
  const std::string folder = inside.substr(0, inside.find('/'));
  const auto own_rank = rank(layers, folder);
  if (!own_rank) return "folder src/" + folder + " is not in the list of layers";
  const auto header_rank = rank(layers, header.substr(0, header.find('/')));
  if (!header_rank || header.find('/') == std::string::npos) return "";
  if (*header_rank > *own_rank) return folder + " includes " + header + ", which is a layer to its right";
  const std::string own_target = target_of(inside);
  const std::string other_target = target_of(header);
  if (!own_target.empty() && !other_target.empty() && other_target != "common" &&
      own_target != other_target) {
    return "target " + own_target + " includes target " + other_target;
  }
  return "";
}

bool is_source(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh";
}

}  // namespace

std::vector<LayerViolation> find_layer_violations(const fs::path& root,
                                                  const std::vector<std::string>& layers) {
  static const std::regex include_line(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::vector<LayerViolation> violations;
  for (const char* top : {"include", "src"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      const std::string file = entry.path().lexically_relative(root).generic_string();
      std::ifstream stream(entry.path());
      int line_number = 0;
      for (std::string line; std::getline(stream, line);) {
        ++line_number;
        std::smatch match;
        if (!std::regex_search(line, match, include_line)) continue;
        if (std::string message = judge(file, match[1], layers); !message.empty()) {
          violations.push_back({file, line_number, std::move(message)});
        }
      }
    }
  }
  return violations;
}

}  // namespace tarmac::setup
