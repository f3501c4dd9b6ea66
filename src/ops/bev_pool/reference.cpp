#include <vector>

#include "ops/bev_pool/arguments.h"
#include "ops/bev_pool/operator.h"
#include "ops/floats.h"
#include "ops/integers.h"

namespace tarmac::ops::bev {
namespace {

class Reference final : public Kernel {
 public:
  explicit Reference(bool channels_last) : channels_last_(channels_last) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    TARMAC_TRY(const Arguments a, read_arguments(channels_last_, inputs, outputs));
    TARMAC_CHECK_OK(check_indices(a));
    std::vector<double> sums(static_cast<std::size_t>(a.maps * a.cells * a.channels));
    const auto add = [&](std::int64_t p, std::int64_t cell) {
      const double weight = a.depth.present() ? float_at(a.depth, integer_at(a.ranks_depth, p)) : 1.0;
      const std::int64_t row = a.ranks_feat.present() ? integer_at(a.ranks_feat, p) : p;
      for (std::int64_t c = 0; c < a.channels; ++c) {
        sums[static_cast<std::size_t>(cell * a.channels + c)] +=
            weight * float_at(a.feat, row * a.channels + c);
      }
    };
    if (a.interval_starts.present()) {
      for (std::int64_t i = 0; i < a.interval_starts.dim(0); ++i) {
        const std::int64_t start = integer_at(a.interval_starts, i);
        const std::int64_t length = integer_at(a.interval_lengths, i);
        for (std::int64_t p = start; p < start + length; ++p) add(p, integer_at(a.ranks_bev, start));
      }
    } else {
      for (std::int64_t p = 0; p < a.points; ++p) add(p, integer_at(a.ranks_bev, p));
    }
    for (std::int64_t cell = 0; cell < a.maps * a.cells; ++cell) {
      for (std::int64_t c = 0; c < a.channels; ++c) {
        const std::int64_t map = cell / a.cells;
        const std::int64_t to =
            a.channels_last ? cell * a.channels + c : (map * a.channels + c) * a.cells + cell % a.cells;
        set_float(a.y, to, static_cast<float>(sums[static_cast<std::size_t>(cell * a.channels + c)]));
      }
    }
    return {};
  }

 private:
  bool channels_last_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  const bool channels_last = get<std::string>(attributes, "layout") == "BZHWC";
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(channels_last));
}

}  // namespace tarmac::ops::bev
