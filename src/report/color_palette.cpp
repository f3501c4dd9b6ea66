#include "report/color_palette.h"

#include <algorithm>
#include <numeric>
#include <span>

namespace tarmac {
namespace {

constexpr std::size_t kBins = std::size_t{1} << 18U;
constexpr std::size_t kMaxColors = 256;

/// A channel of a bin's colour, 0 to 63.
double channel(std::uint32_t bin, std::size_t which) { return bin >> (12 - 6 * which) & 63U; }

/// Bins whose colours are to become one.
struct Group {
  std::span<std::uint32_t> bins;
  std::array<double, 3> mean{};
  std::size_t widest = 0;  ///< channel
  double spread = 0;       ///< of that channel: sum of squared distances from its mean

  Group(std::span<std::uint32_t> held, const std::vector<std::uint64_t>& counts) : bins(held) {
    for (std::size_t c = 0; c < 3; ++c) {
      double pixels = 0;
      double sum = 0;
      double squares = 0;
      for (const std::uint32_t bin : bins) {
        const auto count = static_cast<double>(counts[bin]);
        const double value = channel(bin, c);
        pixels += count;
        sum += count * value;
        squares += count * value * value;
      }
      mean[c] = sum / pixels;
      const double found = squares - sum * mean[c];
      if (found > spread) {
        spread = found;
        widest = c;
      }
    }
  }

  [[nodiscard]] double luma() const { return 0.114 * mean[0] + 0.587 * mean[1] + 0.299 * mean[2]; }
};

std::uint8_t to_byte(double six_bits) { return static_cast<std::uint8_t>(six_bits * 255 / 63 + 0.5); }

}  // namespace

ColorPalette::ColorPalette() : counts_(kBins), indices_(kBins) {}

void ColorPalette::count(const PictureView& picture) {
  for (int y = 0; y < picture.height; ++y) {
    const std::uint8_t* const row = picture.data + static_cast<std::size_t>(y) * picture.row_bytes;
    for (std::size_t x = 0; x < static_cast<std::size_t>(picture.width); ++x) ++counts_[bin_of(row + 3 * x)];
  }
}

void ColorPalette::choose() {
  std::vector<std::uint32_t> bins;
  for (std::uint32_t bin = 0; bin < kBins; ++bin) {
    if (counts_[bin] > 0) bins.push_back(bin);
  }
  std::vector<Group> groups;
  if (!bins.empty()) groups.emplace_back(bins, counts_);
  while (!groups.empty() && groups.size() < kMaxColors) {
    const auto at = std::max_element(groups.begin(), groups.end(),
                                     [](const Group& a, const Group& b) { return a.spread < b.spread; });
    if (at->bins.size() < 2 || at->spread <= 0) break;
    const auto middle = std::partition(at->bins.begin(), at->bins.end(), [&](std::uint32_t bin) {
      return channel(bin, at->widest) <= at->mean[at->widest];
    });
    const auto size = static_cast<std::size_t>(middle - at->bins.begin());
    // Rounding could leave one side empty.
    if (size == 0 || size == at->bins.size()) break;
    const Group darker(at->bins.first(size), counts_);
    const Group lighter(at->bins.subspan(size), counts_);
    *at = darker;
    groups.push_back(lighter);
  }
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.luma() < b.luma(); });
  colors_.clear();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& mean = groups[i].mean;
    colors_.push_back({to_byte(mean[0]), to_byte(mean[1]), to_byte(mean[2])});
    for (const std::uint32_t bin : groups[i].bins) indices_[bin] = static_cast<std::uint8_t>(i);
  }
}

}  // namespace tarmac
