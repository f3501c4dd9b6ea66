#include <set>
#include <system_error>

#include "contract/dataset.h"

namespace tarmac {
namespace {

/// Size of the file a sample stands in: different sizes, different content. Rows of tensors all count as 0.
Result<std::uintmax_t> file_bytes(const DataItem& item) {
  if (item.row >= 0) return std::uintmax_t{0};
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(item.path, failed);
  if (failed)
    return make_error(ErrorCode::kIo, "cannot read its size: " + failed.message(), {}, item.path.string());
  return size;
}

Result<std::vector<std::uintmax_t>> sizes_of(const Dataset& dataset) {
  std::vector<std::uintmax_t> sizes;
  for (const DataItem& item : dataset.items()) {
    TARMAC_TRY(sizes.emplace_back(), file_bytes(item));
  }
  return sizes;
}

}  // namespace

Status check_disjoint(const Dataset& calibration, const Dataset& evaluation, Progress& progress) {
  TARMAC_TRY(const auto calibration_sizes, sizes_of(calibration));
  TARMAC_TRY(const auto evaluation_sizes, sizes_of(evaluation));
  const std::set<std::uintmax_t> sizes_here(calibration_sizes.begin(), calibration_sizes.end());
  const std::set<std::uintmax_t> sizes_there(evaluation_sizes.begin(), evaluation_sizes.end());

  progress.start("comparing data", calibration.size() + evaluation.size());
  std::map<Sha256Digest, std::size_t> known;
  for (std::size_t i = 0; i < calibration.size(); ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "stopped while comparing data");
    progress.advance();
    if (!sizes_there.contains(calibration_sizes[i])) continue;
    TARMAC_TRY(const Sha256Digest digest, calibration.digest(i));
    known.emplace(digest, i);
  }
  std::size_t shared = 0;
  std::string first_pair;
  for (std::size_t i = 0; i < evaluation.size(); ++i) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "stopped while comparing data");
    progress.advance();
    if (!sizes_here.contains(evaluation_sizes[i])) continue;
    TARMAC_TRY(const Sha256Digest digest, evaluation.digest(i));
    const auto found = known.find(digest);
    if (found == known.end()) continue;
    if (shared++ == 0) {
      first_pair = to_string(calibration.items()[found->second]) + " and " + to_string(evaluation.items()[i]);
    }
  }
  progress.finish();
  if (shared == 0) return {};
  return make_error(ErrorCode::kInvalidInput,
                    "calibration and evaluation share " + std::to_string(shared) + " of " +
                        std::to_string(evaluation.size()) + " evaluation samples by content, first " +
                        first_pair + "; remove them from one side, or the accuracy means nothing");
}

}  // namespace tarmac
