#include "deploy/plan_cache.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/sha256.h"
#include "deploy/facts.h"
#include "plan/cpu_features.h"
#include "targets/common/cores.h"
#include "targets/target.h"
#include "tarmac/version.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

struct Entry {
  fs::path path;
  std::uint64_t bytes = 0;
  fs::file_time_type used;
};

Error failed(const std::string& what, const std::error_code& failure, const fs::path& path) {
  return make_error(ErrorCode::kIo,
                    "cannot " + what + ": " + failure.message() +
                        "; choose another folder with --cache-dir, or go without by --no-cache",
                    {}, path.string());
}

}  // namespace

std::string plan_key(const PlanIngredients& ingredients) {
  std::string text;
  for (const auto& [name, value] : ingredients)
    text += name + '\0' + std::to_string(value.size()) + '\0' + value;
  return to_hex(sha256(std::as_bytes(std::span(text))));
}

PlanIngredients machine_ingredients(const std::vector<Target*>& targets) {
  std::string features;
  for (const std::string& feature : cpu_features()) features += feature + " ";
  PlanIngredients list = {{"tarmac", version()},
                          {"format", std::to_string(kPlanFormatVersion)},
                          {"cpu", processor_name()},
                          {"features", features},
                          {"cores", std::to_string(available_cores())}};
  for (const Target* target : targets) list.emplace_back(target->name(), target->version());
  return list;
}

fs::path PlanCache::default_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && fs::path(cache).is_absolute())
    return fs::path(cache) / "tarmac-plans";
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".cache" / "tarmac-plans";
}

Result<PlanCache> PlanCache::open(fs::path folder, std::uint64_t limit_bytes) {
  std::error_code failure;
  const bool made = fs::create_directories(folder, failure);
  if (failure) return failed("make the cache's folder", failure, folder);
  if (made) fs::permissions(folder, fs::perms::owner_all, failure);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    return failed("write into the cache's folder", {errno, std::generic_category()}, folder);
  return PlanCache(std::move(folder), limit_bytes);
}

std::optional<PlanFile> PlanCache::find(const std::string& key) const {
  std::error_code failure;
  const fs::path path = entry(key);
  if (!fs::is_regular_file(fs::symlink_status(path, failure))) return std::nullopt;
  auto plan = PlanFile::open(path);
  if (plan && plan->info().sealed_here) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), failure);
    return *std::move(plan);
  }
  log(LogLevel::kWarning,
      "a plan in the cache is not used: " +
          (plan ? path.string() + " was not written by this user on this machine" : plan.error().str()));
  fs::remove(path, failure);
  return std::nullopt;
}

Status PlanCache::keep(const std::string& key, const fs::path& plan) const {
  std::error_code failure;
  const std::uint64_t bytes = fs::file_size(plan, failure);
  if (failure) return failed("read the plan", failure, plan);
  if (bytes > limit_bytes_) {
    log(LogLevel::kInfo, "the plan is larger than the cache may be, so it is not kept there");
    return {};
  }
  fs::rename(plan, entry(key), failure);
  if (failure) return failed("keep the plan in the cache", failure, entry(key));
  shrink();
  return {};
}

void PlanCache::shrink() const {
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code failure;
  for (auto at = fs::directory_iterator(folder_, failure); !failure && at != fs::directory_iterator();
       at.increment(failure)) {
    std::error_code ignored;
    if (at->path().extension() != ".plan" || !at->is_regular_file(ignored)) continue;
    entries.push_back({at->path(), at->file_size(ignored), at->last_write_time(ignored)});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& one : entries) {
    if (total <= limit_bytes_) return;
    std::error_code ignored;
    fs::remove(one.path, ignored);
    total -= one.bytes;
  }
}

}  // namespace tarmac
