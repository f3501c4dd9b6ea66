#include "ops/rotated_nms/operator.h"

namespace tarmac::ops::rotated_nms_kernels {
namespace {

class Reference final : public Kernel {
 public:
  explicit Reference(const Settings& settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const nms::Problem problem(inputs);
    nms::run_reference(settings_.options, problem,
                       {[&](std::int64_t b, std::int64_t n) { return is_sound(box_at(problem, b, n)); },
                        [&](std::int64_t b, std::int64_t kept, std::int64_t other, std::int32_t /*label*/) {
                          return rotated_iou(box_at(problem, b, kept), box_at(problem, b, other)) >
                                 settings_.iou_threshold;
                        }},
                       nms::Selection(problem, outputs));
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(const Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(settings));
}

}  // namespace tarmac::ops::rotated_nms_kernels
