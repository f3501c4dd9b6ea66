// For each pixel that a model sees, where it lies in the camera's picture: undistortion, resizing and
// cropping composed once, so that a frame is interpolated once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tarmac/camera.h"
#include "tarmac/result.h"

namespace tarmac::ops::camera {

/// One geometric step along an axis, seen backwards: position i of the picture after the step is
/// clamp(scale i + offset, 0, last) of the picture before it.
struct AxisStep {
  double scale = 1;
  double offset = 0;
  double last = 0;
};

/// Resizing `from` pixels to `to` with pixel centres aligned, as cv::resize: (i + 0.5) from / to - 0.5.
AxisStep resize_step(int from, int to);
/// Taking what begins at `first` of `from` pixels.
AxisStep crop_step(int from, int first);
/// The positions 0 … count - 1 of the last picture in the first one; steps in the order that a picture takes
/// them.
std::vector<double> axis_positions(std::span<const AxisStep> steps, int count);

struct Position {
  double x = 0;
  double y = 0;
};

/// Where the pixel (u, v) of the undistorted picture lies in the camera's; formula at tarmac::Lens. May be
/// NaN or infinite far outside.
Position distort(const Lens& lens, double u, double v);

/// kInvalidInput unless all numbers are finite and the focal lengths above 0.
Status check_lens(const Lens& lens);

struct MapSpec {
  int source_height = 0;
  int source_width = 0;
  std::vector<double> rows;     ///< For each output row, its place in the undistorted picture, pixels.
  std::vector<double> columns;  ///< The same for columns.
  std::optional<Lens> lens;     ///< Without one the camera's picture is the undistorted one.
};

/// The exact position of an output pixel.
Position source_position(const MapSpec& spec, int row, int column);

/// How the 16 output pixels of a block lie to the camera's picture.
enum class BlockKind : std::uint8_t {
  kRuns,     ///< As kInside; and of every four pixels, all have one row, and their left and right neighbours
             ///< lie in the 16 columns from the even one at or before the first's left neighbour on.
  kInside,   ///< All neighbours are in the picture, and so are four bytes from each left neighbour on.
  kMixed,    ///< Some may not be.
  kOutside,  ///< None is.
};

/// Positions in fixed point. Without a lens a row and a column suffice, with one there are 8 bytes a pixel.
/// Rows of blocks are filled up with the last position. Immutable; shared by threads.
class CameraMap {
 public:
  static constexpr int kFractionBits = 14;
  static constexpr int kBlock = 16;

  /// Errors: kInvalidInput for sizes outside 1 … 32768, more than 10^8 pixels, positions that are not finite
  /// where there is no lens, or a lens that check_lens() refuses.
  static Result<CameraMap> make(const MapSpec& spec);

  [[nodiscard]] int source_height() const { return source_height_; }
  [[nodiscard]] int source_width() const { return source_width_; }
  [[nodiscard]] int height() const { return height_; }
  [[nodiscard]] int width() const { return width_; }
  [[nodiscard]] int blocks() const { return blocks_; }

  /// blocks() * kBlock positions of a row along x, in 2^-14 pixels.
  [[nodiscard]] const std::int32_t* x(int row) const { return x_.data() + (dense_ ? at(row) : 0); }
  /// The same along y; null where the whole row has y(row).
  [[nodiscard]] const std::int32_t* ys(int row) const { return dense_ ? y_.data() + at(row) : nullptr; }
  [[nodiscard]] std::int32_t y(int row) const { return dense_ ? 0 : y_[static_cast<std::size_t>(row)]; }
  [[nodiscard]] const BlockKind* kinds(int row) const {
    return kinds_.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(blocks_);
  }

 private:
  CameraMap() = default;
  [[nodiscard]] std::size_t at(int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(blocks_) * kBlock;
  }
  void fill_dense(const MapSpec& spec);
  void fill_axes(const MapSpec& spec);
  void find_kinds();
  [[nodiscard]] BlockKind kind_at(int row, int block) const;

  int source_height_ = 0;
  int source_width_ = 0;
  int height_ = 0;
  int width_ = 0;
  int blocks_ = 0;
  bool dense_ = false;
  std::vector<std::int32_t> x_;
  std::vector<std::int32_t> y_;
  std::vector<BlockKind> kinds_;
};

}  // namespace tarmac::ops::camera
