// The one preprocessing pipeline: calibration, verification, run and the vehicle all turn a picture into a
// model's input with this class.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "contract/pack.h"
#include "contract/picture.h"
#include "tarmac/contract.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Runs InputSpec::preprocess. Decoding, gray and resizing have OpenCV's results, geometry that of
/// contract.h, the last pass that of make_pack_table(). Copyable; const functions may run on several threads
/// at once. OpenCV's own threads are set to one for the whole process: pictures are what runs in parallel.
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
  /// From the content of a picture file.
  [[nodiscard]] Result<Tensor> run_encoded(std::span<const std::byte> file) const;

  /// Writes one sample into `out`, a slice of a batch: exactly sample_bytes() of the shape the picture comes
  /// to, aligned for the dtype; kInvalidInput otherwise.
  Status run_into(const PictureView& picture, std::span<std::byte> out) const;
  Status run_into(const std::filesystem::path& picture, std::span<std::byte> out) const;

  /// Shape of one sample with its batch size 1; empty when it depends on the picture.
  [[nodiscard]] const std::optional<Shape>& output_shape() const { return output_shape_; }
  [[nodiscard]] DType dtype() const { return table_.dtype; }

  /// Everything that decides the result, on one line; equal text means equal results.
  [[nodiscard]] const std::string& description() const { return description_; }
  /// SHA-256 of description(), hexadecimal: names this preprocessing in caches and plans.
  [[nodiscard]] std::string fingerprint() const;

 private:
  Preprocessor() = default;
  [[nodiscard]] Shape shape_of(int height, int width) const;

  ColorOrder color_ = ColorOrder::kRGB;
  Layout layout_ = Layout::kNCHW;
  std::vector<PreprocessStep>
      geometry_;  ///< Resize, crop and pad steps; pad values in the order of the working picture.
  PackTable table_;
  std::optional<Shape> output_shape_;
  std::string description_;
};

}  // namespace tarmac
