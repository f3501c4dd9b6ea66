// What RotatedNms and CircleNms share: inputs, outputs, attributes, and the plain loop that says what is
// right.
#pragma once

#include <functional>
#include <vector>

#include "ops/operator.h"

namespace tarmac::ops::nms {

/// Attributes that both have.
struct Options {
  float score_threshold = 0;
  std::int64_t max_boxes = 0;
  std::int64_t pre_max = 0;  ///< 0: all
  bool class_agnostic = false;
};

/// Errors: kInvalidInput for numbers that make no sense.
Result<Options> read_options(const char* op, const Attributes& attributes);

std::vector<AttributeSpec> attribute_specs(std::vector<AttributeSpec> own);
std::vector<Operand> inputs(const char* boxes_doc);
std::vector<Operand> outputs();
/// The rules that both have, for Operator::doc.
std::string doc(const char* own);

/// Types of the outputs; checks all but the columns of `boxes`.
Result<std::vector<Type>> infer(const char* op, const Attributes& attributes, std::span<const Type> inputs);

/// The inputs of one run, as float32: 16-bit ones are widened into this thread's scratch memory, slots 1
/// and 2. A place is where a score stands in its batch entry: k·N + n; equal scores are taken in the order of
/// their places.
class Problem {
 public:
  explicit Problem(std::span<const ConstTensorView> inputs);

  [[nodiscard]] std::int64_t batches() const { return batches_; }
  [[nodiscard]] std::int64_t classes() const { return classes_; }
  /// N, and how many of them are boxes.
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t valid_rows(std::int64_t b) const;
  [[nodiscard]] std::int64_t places() const { return classes_ * rows_; }
  /// One class for all boxes: no label can differ.
  [[nodiscard]] bool one_class() const { return classes_ == 1 && !labels_.present(); }

  [[nodiscard]] std::int32_t label(std::int64_t b, std::int64_t place) const;
  /// The scores of a batch entry, by place.
  [[nodiscard]] const float* scores(std::int64_t b) const { return scores_ + b * places(); }
  /// The columns of box n.
  [[nodiscard]] const float* box(std::int64_t b, std::int64_t n) const {
    return boxes_ + (b * rows_ + n) * columns_;
  }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  /// Copies a score as it was given.
  void copy_score(std::int64_t b, std::int64_t place, std::byte* to) const;

 private:
  std::int64_t batches_, classes_, rows_, columns_;
  const float* boxes_;
  const float* scores_;
  ConstTensorView given_scores_, labels_, count_;
};

/// The outputs of one run, filled in order.
class Selection {
 public:
  Selection(const Problem& problem, std::span<const TensorView> outputs);
  /// The next box of a batch entry; `taken` were there before.
  void put(std::int64_t b, std::int64_t taken, std::int64_t place) const;
  /// Fills what is left after `taken`.
  void close(std::int64_t b, std::int64_t taken) const;

 private:
  const Problem& problem_;
  std::span<const TensorView> outputs_;
};

/// What a reference asks: may box n be chosen; does the kept box suppress another one of this label.
struct Geometry {
  std::function<bool(std::int64_t b, std::int64_t n)> sound;
  std::function<bool(std::int64_t b, std::int64_t kept, std::int64_t other, std::int32_t label)> suppresses;
};

/// Every pair in turn.
void run_reference(const Options& options, const Problem& problem, const Geometry& geometry,
                   const Selection& selection);

}  // namespace tarmac::ops::nms
