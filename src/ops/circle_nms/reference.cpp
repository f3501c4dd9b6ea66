#include "ops/circle_nms/operator.h"

namespace tarmac::ops::circle_nms_kernels {
namespace {

class Reference final : public Kernel {
 public:
  explicit Reference(Settings settings) : settings_(std::move(settings)) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const nms::Problem problem(inputs);
    nms::run_reference(settings_.options, problem,
                       {[&](std::int64_t b, std::int64_t n) { return is_sound_centre(problem.box(b, n)); },
                        [&](std::int64_t b, std::int64_t kept, std::int64_t other, std::int32_t label) {
                          return squared_distance(problem.box(b, kept), problem.box(b, other)) <=
                                 settings_.squared_radius_of(label);
                        }},
                       nms::Selection(problem, outputs));
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(std::move(settings)));
}

}  // namespace tarmac::ops::circle_nms_kernels
