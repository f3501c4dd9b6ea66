// The test cases of the onnx package as files, where they were generated
// (tests/conformance/generate_cases.py).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace tarmac::test {

inline constexpr const char* kNoCases =
    "the onnx test cases are not there: run tests/conformance/generate_cases.py, or point TARMAC_CASES at "
    "their folder";

/// The folder with node/, simple/, …: $TARMAC_CASES, else the newest in the cache; empty when there is none.
inline std::filesystem::path cases_folder() {
  if (const char* set = std::getenv("TARMAC_CASES"); set != nullptr && *set != '\0') return set;
  const char* cache = std::getenv("TARMAC_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root =
      cache != nullptr ? std::filesystem::path(cache)
                       : std::filesystem::path(home != nullptr ? home : "/") / ".cache/tarmac";
  std::filesystem::path newest;
  std::error_code failure;
  const std::filesystem::directory_iterator entries(root, failure);
  if (failure) return {};
  for (const auto& entry : entries) {
    if (entry.path().filename().string().starts_with("onnx-cases-")) newest = std::max(newest, entry.path());
  }
  return newest;
}

/// Every <kind>/<case>/model.onnx, sorted; empty when the cases are not there.
inline std::vector<std::filesystem::path> case_models(const std::string& kind) {
  std::vector<std::filesystem::path> files;
  std::error_code failure;
  const auto folder = cases_folder();
  if (folder.empty()) return files;
  const std::filesystem::directory_iterator entries(folder / kind, failure);
  if (failure) return files;
  for (const auto& entry : entries) {
    if (std::filesystem::exists(entry.path() / "model.onnx")) files.push_back(entry.path() / "model.onnx");
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace tarmac::test
