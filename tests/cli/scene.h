// A small model with its contract, pictures and tensors in a folder of their own.
#pragma once

#include <string>
#include <vector>

#include "support/graph_checks.h"
#include "support/temporary_folder.h"

namespace tarmac::test {

/// model.onnx tells the colour of a picture: image float32[batch, 3, 8, 8] → scores float32[batch, 3], the
/// mean of each channel after a 1×1 convolution, ReLU and an Identity that optimize removes.
class Scene {
 public:
  Scene();

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string model() const { return path("model.onnx"); }
  /// deploy.yaml: labels red, green, blue; RGB in [0, 1]; evaluation and calibration on samples made here.
  [[nodiscard]] std::string contract() const { return path("deploy.yaml"); }
  /// A picture of one colour, 16×12 pixels.
  [[nodiscard]] std::string picture(const std::string& name, int red, int green, int blue) const;
  /// `count` samples as "image" and, when `labels`, their colours as "labels", in an .npz.
  [[nodiscard]] std::string samples(const std::string& name, std::int64_t count, bool labels) const;
  /// A .npy of this shape, all of one value.
  [[nodiscard]] std::string tensor(const std::string& name, const Shape& shape, float value) const;
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
};

}  // namespace tarmac::test
