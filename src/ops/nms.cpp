#include "ops/nms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "ops/integers.h"
#include "ops/shapes.h"
#include "ops/widened.h"

namespace tarmac::ops::nms {
namespace {

const std::vector<DType> kFloats = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};
const std::vector<DType> kIntegers = {DType::kInt32, DType::kInt64};

}  // namespace

Result<Options> read_options(const char* op, const Attributes& attributes) {
  Options options;
  options.score_threshold = get<float>(attributes, "score_threshold");
  options.max_boxes = get<std::int64_t>(attributes, "max_boxes");
  options.pre_max = get<std::int64_t>(attributes, "pre_max");
  options.class_agnostic = get<std::int64_t>(attributes, "class_agnostic") != 0;
  if (std::isnan(options.score_threshold) || options.max_boxes < 0 || options.pre_max < 0) {
    return make_error(
        ErrorCode::kInvalidInput,
        std::string(op) + ": score_threshold must be a number, max_boxes and pre_max not negative");
  }
  return options;
}

std::vector<AttributeSpec> attribute_specs(std::vector<AttributeSpec> own) {
  const AttributeSpec shared[] = {
      {"max_boxes", "M: the most boxes that are kept of a batch entry", std::int64_t{0}, true},
      {"score_threshold", "only scores above it count", 0.0F},
      {"pre_max", "only so many best boxes take part (of each class, unless class_agnostic); 0: all",
       std::int64_t{0}},
      {"class_agnostic", "1: boxes suppress those of other classes too", std::int64_t{0}},
  };
  own.insert(own.end(), std::begin(shared), std::end(shared));
  return own;
}

std::vector<Operand> inputs(const char* boxes_doc) {
  return {
      {"boxes", boxes_doc, kFloats},
      {"scores", "[B, N], or [B, K, N]: a score for each of K classes", kFloats},
      {"labels", "[B, N]: the boxes' classes, with scores [B, N]; all 0 without it", kIntegers, true},
      {"count", "[B]: the first rows of each batch entry that are boxes; all without it", kIntegers, true}};
}

std::vector<Operand> outputs() {
  return {{"indices", "[B, M]: n of the kept boxes, best first, then -1", {DType::kInt32}},
          {"kept_scores", "[B, M]: their scores, then 0", kFloats},
          {"kept_labels", "[B, M]: their classes, then -1", {DType::kInt32}},
          {"kept_count", "[B]: how many were kept", {DType::kInt32}}};
}

std::string doc(const char* own) {
  return std::string(own) +
         "\nBoxes are taken by falling score, equal ones by their place in the tensor; each that no kept box "
         "of its "
         "class suppresses is kept, until there are max_boxes. With scores [B, K, N] a box takes part once "
         "for each "
         "class whose score is above the threshold. NaN scores never do.";
}

Result<std::vector<Type>> infer(const char* op, const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const Options options, read_options(op, attributes));
  TARMAC_CHECK_OK(check_rank(op, "boxes", inputs[0], 3));
  const Type& scores = inputs[1];
  const std::size_t rank = scores.shape ? scores.shape->size() : 0;
  if (scores.shape && rank != 2 && rank != 3) {
    return make_error(ErrorCode::kInvalidInput, std::string(op) + ": the input 'scores' is " +
                                                    to_string(scores) + ", expected [B, N] or [B, K, N]");
  }
  if (rank == 3 && inputs[2].is_tensor()) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string(op) +
                          ": 'labels' say the class of each box, so 'scores' must be [B, N], they are " +
                          to_string(scores));
  }
  TARMAC_TRY(Dim batch,
             same_size(op, "the batch of boxes and scores", dim_of(inputs[0], 0), dim_of(scores, 0)));
  TARMAC_TRY(const Dim rows, same_size(op, "the number of boxes", dim_of(inputs[0], 1),
                                       rank == 0 ? Dim() : dim_of(scores, rank - 1)));
  if (inputs[2].is_tensor()) TARMAC_CHECK_OK(check_shape(op, "labels", inputs[2], {batch, rows}));
  if (inputs[3].is_tensor()) TARMAC_CHECK_OK(check_shape(op, "count", inputs[3], {batch}));
  const Dim classes = rank == 3 ? dim_of(scores, 1) : Dim::of(1);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if ((rows.known() && *rows.size > kMost) ||
      (rows.known() && classes.known() && *rows.size > 0 && *classes.size > kMost / *rows.size)) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string(op) + ": more than 2^31-1 scores in a batch entry: " + to_string(scores));
  }
  const std::vector<Dim> kept = {batch, Dim::of(options.max_boxes)};
  return std::vector<Type>{Type::tensor(DType::kInt32, kept), Type::tensor(scores.dtype, kept),
                           Type::tensor(DType::kInt32, kept),
                           Type::tensor(DType::kInt32, std::vector<Dim>{batch})};
}

Problem::Problem(std::span<const ConstTensorView> inputs)
    : batches_(inputs[0].dim(0)),
      classes_(inputs[1].rank() == 3 ? inputs[1].dim(1) : 1),
      rows_(inputs[0].dim(1)),
      columns_(inputs[0].dim(2)),
      boxes_(widened(inputs[0], 1)),
      scores_(widened(inputs[1], 2)),
      given_scores_(inputs[1]) {
  if (inputs.size() > 2) labels_ = inputs[2];
  if (inputs.size() > 3) count_ = inputs[3];
}

std::int64_t Problem::valid_rows(std::int64_t b) const {
  return count_.present() ? std::clamp<std::int64_t>(integer_at(count_, b), 0, rows_) : rows_;
}

std::int32_t Problem::label(std::int64_t b, std::int64_t place) const {
  if (labels_.present()) return static_cast<std::int32_t>(integer_at(labels_, b * rows_ + place));
  return classes_ == 1 ? 0 : static_cast<std::int32_t>(place / rows_);
}

void Problem::copy_score(std::int64_t b, std::int64_t place, std::byte* to) const {
  const auto element = static_cast<std::size_t>(bit_width(given_scores_.dtype)) / 8;
  std::memcpy(to, given_scores_.data + static_cast<std::size_t>(b * places() + place) * element, element);
}

Selection::Selection(const Problem& problem, std::span<const TensorView> outputs)
    : problem_(problem), outputs_(outputs) {}

void Selection::put(std::int64_t b, std::int64_t taken, std::int64_t place) const {
  const std::int64_t to = b * outputs_[0].dim(1) + taken;
  outputs_[0].as<std::int32_t>()[to] =
      static_cast<std::int32_t>(problem_.classes() == 1 ? place : place % problem_.rows());
  const auto element = static_cast<std::size_t>(bit_width(outputs_[1].dtype)) / 8;
  problem_.copy_score(b, place, outputs_[1].data + static_cast<std::size_t>(to) * element);
  outputs_[2].as<std::int32_t>()[to] = problem_.label(b, place);
}

void Selection::close(std::int64_t b, std::int64_t taken) const {
  const std::int64_t size = outputs_[0].dim(1);
  const auto element = static_cast<std::size_t>(bit_width(outputs_[1].dtype)) / 8;
  std::fill_n(outputs_[0].as<std::int32_t>() + b * size + taken, size - taken, -1);
  if (size > taken) {
    std::memset(outputs_[1].data + static_cast<std::size_t>(b * size + taken) * element, 0,
                static_cast<std::size_t>(size - taken) * element);
  }
  std::fill_n(outputs_[2].as<std::int32_t>() + b * size + taken, size - taken, -1);
  outputs_[3].as<std::int32_t>()[b] = static_cast<std::int32_t>(taken);
}

void run_reference(const Options& options, const Problem& problem, const Geometry& geometry,
                   const Selection& selection) {
  for (std::int64_t b = 0; b < problem.batches(); ++b) {
    std::vector<std::int64_t> order;
    for (std::int64_t place = 0; place < problem.places(); ++place) {
      const std::int64_t n = place % problem.rows();
      if (n < problem.valid_rows(b) && problem.scores(b)[place] > options.score_threshold &&
          geometry.sound(b, n))
        order.push_back(place);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
      return problem.scores(b)[i] > problem.scores(b)[j];
    });
    std::map<std::int32_t, std::int64_t> seen;
    std::vector<std::int64_t> kept;
    for (const std::int64_t place : order) {
      if (static_cast<std::int64_t>(kept.size()) == options.max_boxes) break;
      const std::int32_t label = problem.label(b, place);
      if (options.pre_max > 0 && ++seen[options.class_agnostic ? 0 : label] > options.pre_max) continue;
      const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](std::int64_t better) {
        return (options.class_agnostic || problem.label(b, better) == label) &&
               geometry.suppresses(b, better % problem.rows(), place % problem.rows(), label);
      });
      if (suppressed) continue;
      selection.put(b, static_cast<std::int64_t>(kept.size()), place);
      kept.push_back(place);
    }
    selection.close(b, static_cast<std::int64_t>(kept.size()));
  }
}

}  // namespace tarmac::ops::nms
