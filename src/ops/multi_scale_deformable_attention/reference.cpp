#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/floats.h"
#include "ops/multi_scale_deformable_attention/operator.h"
#include "ops/multi_scale_deformable_attention/problem.h"

namespace tarmac::ops::msda {
namespace {

struct Pixel {
  double x = 0;
  double y = 0;
};

float value_at(const ConstTensorView& value, std::int64_t i) {
  return value.dtype == DType::kInt8 ? value.as<std::int8_t>()[i] : float_at(value, i);
}

/// One head of one query.
class Head {
 public:
  Head(const Problem& problem, std::int64_t b, std::int64_t q, std::int64_t m)
      : p_(problem),
        b_(b),
        m_(m),
        query_of_reference_(p_.reference.present() ? p_.row(p_.reference, b) * p_.queries + q : 0),
        first_sample_(((p_.row(p_.sampling, b) * p_.queries + q) * p_.heads + m) * p_.samples()),
        first_weight_(((p_.row(p_.weights, b) * p_.queries + q) * p_.heads + m) * p_.samples()) {}

  [[nodiscard]] std::vector<double> weights() const {
    std::vector<double> weights;
    for (std::int64_t s = 0; s < p_.samples(); ++s)
      weights.push_back(float_at(p_.weights, first_weight_ + s));
    if (!p_.options.softmax) return weights;
    double largest = -std::numeric_limits<double>::infinity();
    for (const double weight : weights) largest = std::max(largest, weight);
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  [[nodiscard]] Pixel pixel(std::int64_t l, std::int64_t point) const {
    const std::int64_t s = 2 * (first_sample_ + l * p_.points + point);
    double x = float_at(p_.sampling, s);
    double y = float_at(p_.sampling, s + 1);
    const Level& level = p_.levels()[static_cast<std::size_t>(l)];
    const auto width = static_cast<double>(level.width);
    const auto height = static_cast<double>(level.height);
    if (p_.reference.present()) {
      const std::int64_t r = query_of_reference_ * p_.references + p_.reference_of(l, point);
      const auto reference = [&](std::int64_t i) {
        return float_at(p_.reference, r * p_.reference_width + i);
      };
      const auto points = static_cast<double>(p_.points);
      x = reference(0) + (p_.reference_width == 4 ? x / points * reference(2) * 0.5 : x / width);
      y = reference(1) + (p_.reference_width == 4 ? y / points * reference(3) * 0.5 : y / height);
    }
    return {x * width - 0.5, y * height - 0.5};
  }

  /// Adds weight · the bilinear mean of the four cells around `at`; cells outside the map are 0.
  void add(const Level& level, const Pixel& at, double weight, std::vector<double>& sum) const {
    const double left = std::floor(at.x);
    const double top = std::floor(at.y);
    for (const int dy : {0, 1}) {
      for (const int dx : {0, 1}) {
        const double x = left + dx;
        const double y = top + dy;
        if (x < 0 || y < 0 || x >= static_cast<double>(level.width) || y >= static_cast<double>(level.height))
          continue;
        const double share = (1 - std::abs(at.x - x)) * (1 - std::abs(at.y - y));
        const std::int64_t cell =
            level.start + static_cast<std::int64_t>(y) * level.width + static_cast<std::int64_t>(x);
        const std::int64_t first = ((b_ * p_.cells + cell) * p_.heads + m_) * p_.depth;
        for (std::size_t d = 0; d < sum.size(); ++d)
          sum[d] += weight * share * value_at(p_.value, first + static_cast<std::int64_t>(d));
      }
    }
  }

  [[nodiscard]] std::vector<double> attend() const {
    std::vector<double> sum(static_cast<std::size_t>(p_.depth));
    const std::vector<double> attention = weights();
    for (std::int64_t l = 0; l < p_.level_count; ++l) {
      const Level& level = p_.levels()[static_cast<std::size_t>(l)];
      for (std::int64_t point = 0; point < p_.points; ++point) {
        const Pixel at = pixel(l, point);
        const bool inside = at.x > -1 && at.y > -1 && at.x < static_cast<double>(level.width) &&
                            at.y < static_cast<double>(level.height);  // false for NaN
        if (inside) add(level, at, attention[static_cast<std::size_t>(l * p_.points + point)], sum);
      }
    }
    return sum;
  }

 private:
  const Problem& p_;
  std::int64_t b_;
  std::int64_t m_;
  std::int64_t query_of_reference_;
  std::int64_t first_sample_;
  std::int64_t first_weight_;
};

class Reference final : public Kernel {
 public:
  explicit Reference(const Options& options) : options_(options) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& /*parallel*/) const override {
    TARMAC_TRY(const Problem p, read_problem(options_, inputs, outputs));
    if (p.output.count() == 0) return {};
    for (std::int64_t b = 0; b < p.batch; ++b) {
      for (std::int64_t q = 0; q < p.queries; ++q) {
        for (std::int64_t m = 0; m < p.heads; ++m) {
          const auto sum = p.visible(b, q) ? Head(p, b, q, m).attend()
                                           : std::vector<double>(static_cast<std::size_t>(p.depth));
          for (std::int64_t d = 0; d < p.depth; ++d) {
            const double result = sum[static_cast<std::size_t>(d)] * p.scale_of(m, d);
            set_float(p.output, ((b * p.queries + q) * p.heads + m) * p.depth + d,
                      static_cast<float>(result));
          }
        }
      }
    }
    return {};
  }

 private:
  Options options_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reference(const Attributes& attributes) {
  TARMAC_TRY(const Options options, read_options(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Reference>(options));
}

}  // namespace tarmac::ops::msda
