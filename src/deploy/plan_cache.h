// Finished plans in a folder, by the digest of all that they were made from: making the same one again on
// this machine is a copy. What was measured for them is in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan_file.h"
#include "targets/target.h"

namespace tarmac {

/// What a plan is made from, as pairs of a name and its value.
using PlanIngredients = std::vector<std::pair<std::string, std::string>>;

/// SHA-256 over the ingredients in their order, in hexadecimal.
std::string plan_key(const PlanIngredients& ingredients);

/// Those of this machine: version of the tool, processor and its features, cores available, engines.
PlanIngredients machine_ingredients(const std::vector<Target*>& targets);

class PlanCache {
 public:
  /// ${XDG_CACHE_HOME:-~/.cache}/tarmac-plans; empty where neither is set.
  static std::filesystem::path default_folder();

  /// Makes the folder (0700) where it is missing. Errors: kIo.
  static Result<PlanCache> open(std::filesystem::path folder,
                                std::uint64_t limit_bytes = std::uint64_t{2} << 30U);

  /// The plan of this key. None where there is none, or it does not open, or was not written by this user on
  /// this machine: such a file is removed.
  [[nodiscard]] std::optional<PlanFile> find(const std::string& key) const;

  /// Moves a finished plan, which must lie in folder() or below, in under its key, and removes the entries
  /// used longest ago until the rest fits the limit; one that is beyond it alone is not kept. Errors: kIo.
  Status keep(const std::string& key, const std::filesystem::path& plan) const;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  PlanCache(std::filesystem::path folder, std::uint64_t limit_bytes)
      : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}
  [[nodiscard]] std::filesystem::path entry(const std::string& key) const {
    return folder_ / (key + ".plan");
  }
  void shrink() const;

  std::filesystem::path folder_;
  std::uint64_t limit_bytes_;
};

}  // namespace tarmac
