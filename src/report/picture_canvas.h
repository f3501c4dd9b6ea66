// Results drawn on pictures.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "contract/picture.h"
#include "contract/trace_geometry.h"
#include "metrics/detection.h"
#include "tarmac/camera.h"

namespace tarmac {

/// A copy of a picture, at its own size. Lines and letters grow with it. Each class has a colour of its own,
/// the same in every picture.
class PictureCanvas {
 public:
  /// Errors: kInvalidInput (no pixels), kResourceExhausted.
  static Result<PictureCanvas> create(const PictureView& picture);
  /// The same of a camera's frame.
  static Result<PictureCanvas> create(const CameraFrame& frame);

  PictureCanvas(PictureCanvas&&) noexcept;
  PictureCanvas& operator=(PictureCanvas&&) noexcept;
  ~PictureCanvas();

  /// A box in pixels of the picture with `text` (ASCII) above it, or inside where there is no room.
  void box(const Box& box, std::int64_t label, const std::string& text);
  /// Text in the upper left corner, in the colour of a class.
  void headline(const std::string& text, std::int64_t label);
  /// Tints each pixel with its class; `classes` [height, width] lie over the model's input, to which `trace`
  /// leads. Below 0: none.
  void classes(std::span<const std::int32_t> classes, std::int64_t height, std::int64_t width,
               const GeometryTrace& trace);

  [[nodiscard]] PictureView view() const;
  /// As a file; `extension` is ".png" or ".jpg", the quality the latter's, 1 to 100. Errors: kUnavailable
  /// (OpenCV's codecs), kInternal.
  [[nodiscard]] Result<std::vector<std::byte>> encode(const std::string& extension,
                                                      int jpeg_quality = 92) const;

 private:
  struct State;
  explicit PictureCanvas(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tarmac
