#include <algorithm>

#include "ops/box_decode_3d/operator.h"
#include "ops/widened.h"

namespace tarmac::ops::box_decode_kernels {
namespace {

class Reference final : public Kernel {
 public:
  explicit Reference(const Settings& settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    const Decoder decoder(settings_, inputs);
    for (std::int64_t b = 0; b < decoder.batches(); ++b) {
      const float* const values = widened(decoder.scores(), 0) + b * decoder.places();
      std::vector<std::uint64_t> order;
      for (std::int64_t place = 0; place < decoder.places(); ++place) {
        if (decoder.passes(values[place]) && (!settings_.peaks_only || decoder.is_peak(values, place)))
          order.push_back(static_cast<std::uint64_t>(place));
      }
      std::stable_sort(order.begin(), order.end(),
                       [&](std::uint64_t i, std::uint64_t j) { return values[i] > values[j]; });
      order.resize(std::min(order.size(), static_cast<std::size_t>(settings_.max_boxes)));
      decoder.emit(b, values, order, outputs);
    }
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

}  // namespace tarmac::ops::box_decode_kernels
