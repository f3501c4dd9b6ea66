// The one preprocessing pipeline: calibration, verification, run and the vehicle all turn a picture into a
// model's input with this class.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "contract/picture.h"
#include "contract/preprocess_geometry.h"
#include "tarmac/contract.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Runs InputSpec::preprocess. With Geometry::kOpenCv, decoding, gray, undistorting and resizing have
/// OpenCV's results, geometry that of contract.h, the last pass that of make_pack_table(); with
/// Geometry::kFused all after decoding is one pass of ops::camera::fuse_frames(). Copyable; const functions
/// may run on several threads at once. OpenCV's own threads are set to one for the whole process: pictures
/// are what runs in parallel.
class Preprocessor {
 public:
  /// kInvalidInput when the input is not a picture or its steps do not make one (load_contract() checks the
  /// same).
  static Result<Preprocessor> make(const InputSpec& input);

  /// A batch of one, [1, C, H, W] or [1, H, W, C]. Errors as read_picture(), and kInvalidInput (context: the
  /// path) when a crop reaches outside the picture or a result is too large.
  [[nodiscard]] Result<Tensor> run(const std::filesystem::path& picture) const;
  /// From a camera's pixels.
  [[nodiscard]] Result<Tensor> run(const PictureView& picture) const;
  /// From a camera's frame, of the form that the decode step names; blue green red where it names none.
  [[nodiscard]] Result<Tensor> run(const ops::camera::FrameView& frame) const;
  /// From the content of a picture's or frame's file.
  [[nodiscard]] Result<Tensor> run_encoded(std::span<const std::byte> file) const;

  /// Writes one sample into `out`, a slice of a batch: exactly sample_bytes() of the shape the picture comes
  /// to, aligned for the dtype; kInvalidInput otherwise.
  Status run_into(const PictureView& picture, std::span<std::byte> out) const;
  Status run_into(const ops::camera::FrameView& frame, std::span<std::byte> out) const;
  Status run_into(const std::filesystem::path& picture, std::span<std::byte> out) const;

  /// Shape of one sample with its batch size 1; empty when it depends on the picture.
  [[nodiscard]] const std::optional<Shape>& output_shape() const { return output_shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  /// Whether the file's name is one of those that this reads: a picture's, or a frame's.
  [[nodiscard]] bool reads(const std::filesystem::path& path) const;

  /// Everything that decides the result, on one line; equal text means equal results.
  [[nodiscard]] const std::string& description() const { return description_; }
  /// SHA-256 of description(), hexadecimal: names this preprocessing in caches and plans.
  [[nodiscard]] std::string fingerprint() const;

 private:
  Preprocessor() = default;
  [[nodiscard]] Shape shape_of(int height, int width) const;
  [[nodiscard]] Status check(const ops::camera::FrameView& frame) const;
  template <typename T, typename Use>
  [[nodiscard]] Result<T> with_file(const std::filesystem::path& path, const Use& use) const;

  std::optional<RawFormat> raw_;
  std::optional<std::pair<int, int>> source_size_;  ///< Height and width that a camera is calibrated for.
  DType dtype_ = DType::kFloat32;
  Layout layout_ = Layout::kNCHW;
  int channels_ = 3;
  std::shared_ptr<const PictureGeometry> geometry_;
  std::optional<Shape> output_shape_;
  std::string description_;
};

}  // namespace tarmac
