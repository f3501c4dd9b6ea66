// The few colours that stand for many.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "contract/picture.h"

namespace tarmac {

/// Counts colours, picks up to 256 of them by median cut (Heckbert 1982; here the box whose colours are
/// spread most is cut, at their mean), and says which of these is meant by any colour. Colours are told apart
/// by 6 bits a channel.
class ColorPalette {
 public:
  ColorPalette();
  void count(const PictureView& picture);
  /// Of all that was counted. Darker colours come first.
  void choose();

  using Color = std::array<std::uint8_t, 3>;  ///< blue, green, red
  [[nodiscard]] const std::vector<Color>& colors() const { return colors_; }
  /// Index of the colour that stands for a pixel which was counted; needs choose().
  [[nodiscard]] std::uint8_t index_of(const std::uint8_t* pixel) const { return indices_[bin_of(pixel)]; }

 private:
  static std::size_t bin_of(const std::uint8_t* pixel) {
    return std::size_t{pixel[0]} >> 2U << 12U | std::size_t{pixel[1]} >> 2U << 6U |
           std::size_t{pixel[2]} >> 2U;
  }
  std::vector<std::uint64_t> counts_;
  std::vector<std::uint8_t> indices_;
  std::vector<Color> colors_;
};

}  // namespace tarmac
