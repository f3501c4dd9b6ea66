#include "tune/keep_order.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace tarmac {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double snr(const GroupRow& row) { return row.snr_db.value_or(kInfinity); }

template <typename Less>
std::vector<std::size_t> sorted(const std::vector<GroupRow>& rows, Less less) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), less);
  return order;
}

}  // namespace

std::vector<std::size_t> keep_order(const std::vector<GroupRow>& rows) {
  std::int64_t total_ns = 0;
  for (const GroupRow& row : rows) total_ns += row.float_ns;
  const double least_ns = std::max(1.0, static_cast<double>(total_ns) / 100);
  struct Worth {
    bool costs_points;
    double per_ns;
  };
  std::vector<Worth> worths;
  for (const GroupRow& row : rows) {
    const double lost_ns = std::max(least_ns, static_cast<double>(row.float_ns - row.int8_ns));
    const double points = row.sensitivity.value_or(0);
    const double noise = std::pow(10, -snr(row) / 10);
    worths.push_back({points > 0, (points > 0 ? points : noise) / lost_ns});
  }
  return sorted(rows, [&](std::size_t a, std::size_t b) {
    return std::tie(worths[a].costs_points, worths[a].per_ns) >
           std::tie(worths[b].costs_points, worths[b].per_ns);
  });
}

std::vector<std::size_t> noise_order(const std::vector<GroupRow>& rows) {
  return sorted(rows, [&](std::size_t a, std::size_t b) { return snr(rows[a]) < snr(rows[b]); });
}

void put_culprits_first(std::vector<GroupRow>& rows) {
  const auto key = [](const GroupRow& row) {
    return std::make_tuple(row.int8, -row.sensitivity.value_or(-kInfinity), snr(row));
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const GroupRow& a, const GroupRow& b) { return key(a) < key(b); });
}

}  // namespace tarmac
