#include "ops/camera_preprocess/fused.h"
#include "ops/camera_preprocess/operator.h"
#include "ops/camera_preprocess/settings.h"

namespace tarmac::ops::camera {
namespace {

class Cpu final : public Kernel {
 public:
  Cpu(Settings settings, std::vector<CameraMap> maps, const ColorTransform& color)
      : settings_(std::move(settings)), maps_(std::move(maps)), color_(color) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const auto count = static_cast<std::size_t>(inputs[0].dim(0));
    // Slot 0 is the rows' own.
    const std::span frames(reinterpret_cast<FrameView*>(scratch(count * sizeof(FrameView), 1)), count);
    TARMAC_CHECK_OK(read_frames(settings_, inputs[0], frames));
    FusedOutput output = FusedOutput::dense(settings_.dtype, settings_.layout, outputs[0].data,
                                            settings_.channels(), settings_.height(), settings_.width());
    output.zero_point = settings_.zero_point;
    return fuse_frames(frames, maps_, color_, output, parallel);
  }

 private:
  Settings settings_;
  std::vector<CameraMap> maps_;
  ColorTransform color_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(Settings settings, read_settings(attributes));
  TARMAC_TRY(const ColorTransform color, make_color_transform(settings.color));
  std::vector<CameraMap> maps;
  for (const MapSpec& spec : settings.maps) {
    TARMAC_TRY(CameraMap map, CameraMap::make(spec));
    maps.push_back(std::move(map));
  }
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(std::move(settings), std::move(maps), color));
}

}  // namespace tarmac::ops::camera
