#include "ops/bev_pool/arguments.h"

#include "ops/integers.h"

namespace tarmac::ops::bev {
namespace {

Status check(const char* name, const ConstTensorView& indices, std::int64_t i, std::int64_t limit) {
  const std::int64_t index = integer_at(indices, i);
  if (index >= 0 && index < limit) return {};
  return make_error(ErrorCode::kInvalidInput, std::string("BevPool: ") + name + "[" + std::to_string(i) +
                                                  "] is " + std::to_string(index) + ", expected 0 to below " +
                                                  std::to_string(limit));
}

Status check_point(const Arguments& a, std::int64_t p) {
  if (a.ranks_feat.present()) TARMAC_CHECK_OK(check("ranks_feat", a.ranks_feat, p, a.rows));
  if (a.depth.present()) TARMAC_CHECK_OK(check("ranks_depth", a.ranks_depth, p, a.depth.count()));
  return {};
}

Status check_pair(const char* a, const ConstTensorView& one, const char* b, const ConstTensorView& other) {
  if (one.present() == other.present()) return {};
  return make_error(ErrorCode::kInvalidInput, std::string("BevPool: '") + a + "' and '" + b +
                                                  "' go together, only one of them is there");
}

}  // namespace

Result<Arguments> read_arguments(bool channels_last, std::span<const ConstTensorView> inputs,
                                 std::span<const TensorView> outputs) {
  const auto input = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : ConstTensorView(); };
  Arguments a = {.depth = input(0),
                 .feat = input(1),
                 .ranks_depth = input(2),
                 .ranks_feat = input(3),
                 .ranks_bev = input(4),
                 .interval_starts = input(5),
                 .interval_lengths = input(6),
                 .y = outputs[0],
                 .channels_last = channels_last};
  a.points = a.ranks_bev.dim(0);
  a.channels = a.feat.shape.back();
  a.rows = 1;
  for (const std::int64_t size : a.feat.shape.first(a.feat.rank() - 1)) a.rows *= size;
  a.maps = a.y.dim(0);
  const std::size_t z = channels_last ? 1 : 2;
  a.cells = a.y.dim(z) * a.y.dim(z + 1) * a.y.dim(z + 2);
  TARMAC_CHECK_OK(check_pair("depth", a.depth, "ranks_depth", a.ranks_depth));
  TARMAC_CHECK_OK(check_pair("interval_starts", a.interval_starts, "interval_lengths", a.interval_lengths));
  if (!a.ranks_feat.present() && a.rows != a.points) {
    return make_error(ErrorCode::kInvalidInput, "BevPool: 'feat' has " + std::to_string(a.rows) +
                                                    " rows and 'ranks_bev' " + std::to_string(a.points) +
                                                    " points, expected one row a point without 'ranks_feat'");
  }
  return a;
}

Status check_indices(const Arguments& a) {
  const std::int64_t cells = a.maps * a.cells;
  if (!a.interval_starts.present()) {
    for (std::int64_t p = 0; p < a.points; ++p) {
      TARMAC_CHECK_OK(check("ranks_bev", a.ranks_bev, p, cells));
      TARMAC_CHECK_OK(check_point(a, p));
    }
    return {};
  }
  for (std::int64_t i = 0; i < a.interval_starts.dim(0); ++i) {
    const std::int64_t start = integer_at(a.interval_starts, i);
    const std::int64_t length = integer_at(a.interval_lengths, i);
    if (length == 0) continue;
    if (start < 0 || start >= a.points || length < 0 || length > a.points - start) {
      return make_error(ErrorCode::kInvalidInput, "BevPool: interval " + std::to_string(i) + " starts at " +
                                                      std::to_string(start) + " with length " +
                                                      std::to_string(length) + ", expected it within the " +
                                                      std::to_string(a.points) + " points");
    }
    TARMAC_CHECK_OK(check("ranks_bev", a.ranks_bev, start, cells));
    for (std::int64_t p = start; p < start + length; ++p) TARMAC_CHECK_OK(check_point(a, p));
  }
  return {};
}

}  // namespace tarmac::ops::bev
