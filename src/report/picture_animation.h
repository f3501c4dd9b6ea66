// Pictures one after another in one file that every browser shows.
#pragma once

#include <cstddef>
#include <vector>

#include "contract/picture.h"

namespace tarmac {

/// An animated PNG (PNG specification, third edition, W3C 2025). Programs that know no animation show the
/// first frame. All frames share 256 colours; it runs for ever.
class PictureAnimation {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{512} << 20U;  ///< of pixels that are held

  /// Whether a further frame of this size would be held.
  [[nodiscard]] bool has_room_for(const PictureView& frame) const;
  /// Copies it. Errors: kInvalidInput (no pixels, or another size than the first frame's; says both),
  /// kResourceExhausted (more than kMaxBytes).
  Status add(const PictureView& frame);
  [[nodiscard]] std::size_t frames() const { return frames_.size(); }

  /// The file; `frame_ms` in [1, 65535]. Errors: kUsage (no frames), kInvalidInput (`frame_ms`), kUnavailable
  /// (OpenCV's codecs), kInternal.
  [[nodiscard]] Result<std::vector<std::byte>> encode(int frame_ms) const;

 private:
  std::vector<std::vector<std::uint8_t>> frames_;  ///< dense
  int height_ = 0;
  int width_ = 0;
};

}  // namespace tarmac
