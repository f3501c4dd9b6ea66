#include "metrics/classification.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "tensor/codec.h"

namespace tarmac {
namespace {

struct Rows {
  std::vector<double> values;
  std::size_t count = 0;
  std::size_t classes = 0;

  [[nodiscard]] std::span<const double> operator[](std::size_t i) const {
    return std::span(values).subspan(i * classes, classes);
  }
};

Result<Rows> rows_of(const Tensor& logits) {
  Shape shape = logits.shape();
  while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  if (shape.size() != 2 || shape[1] < 1) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected logits of shape [samples, classes], found " + to_string(logits.shape()));
  }
  Rows rows;
  TARMAC_TRY(rows.values, to_doubles(logits));
  rows.count = static_cast<std::size_t>(shape[0]);
  rows.classes = static_cast<std::size_t>(shape[1]);
  return rows;
}

std::int64_t argmax(std::span<const double> row) {
  if (std::any_of(row.begin(), row.end(), [](double value) { return std::isnan(value); })) return -1;
  return std::max_element(row.begin(), row.end()) - row.begin();
}

double fraction(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ClassificationMetrics::ClassificationMetrics(std::vector<std::string> class_names)
    : class_names_(std::move(class_names)),
      confusion_(class_names_.size(), std::vector<std::int64_t>(class_names_.size(), 0)),
      support_(class_names_.size(), 0) {}

Result<ClassificationMetrics> ClassificationMetrics::create(std::vector<std::string> class_names) {
  if (class_names.size() < 2) {
    return make_error(ErrorCode::kInvalidInput,
                      "a classifier needs at least two classes, found " + std::to_string(class_names.size()));
  }
  const std::set<std::string> distinct(class_names.begin(), class_names.end());
  if (distinct.size() != class_names.size()) {
    return make_error(ErrorCode::kInvalidInput, "two classes have the same name; every class needs its own");
  }
  return ClassificationMetrics(std::move(class_names));
}

Status ClassificationMetrics::add(const Tensor& logits, std::span<const std::int64_t> labels) {
  TARMAC_TRY(const Rows rows, rows_of(logits));
  const std::size_t classes = class_names_.size();
  if (rows.classes != classes || rows.count != labels.size()) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected logits [" + std::to_string(labels.size()) + ", " + std::to_string(classes) +
                          "] for " + std::to_string(labels.size()) + " labels and " +
                          std::to_string(classes) + " classes, found " + to_string(logits.shape()));
  }
  for (const std::int64_t label : labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= classes) {
      return make_error(ErrorCode::kInvalidInput, "expected labels from 0 to " + std::to_string(classes - 1) +
                                                      ", found " + std::to_string(label));
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    const std::int64_t predicted = argmax(rows[i]);
    ++samples_;
    ++support_[label];
    if (predicted < 0) {
      ++without_prediction_;
    } else {
      ++confusion_[label][static_cast<std::size_t>(predicted)];
    }
  }
  return {};
}

std::int64_t ClassificationMetrics::correct() const {
  std::int64_t sum = 0;
  for (std::size_t c = 0; c < confusion_.size(); ++c) sum += confusion_[c][c];
  return sum;
}

double ClassificationMetrics::accuracy() const { return fraction(correct(), samples_); }

double ClassificationMetrics::balanced_accuracy() const {
  double sum = 0;
  std::int64_t present = 0;
  for (std::size_t c = 0; c < class_names_.size(); ++c) {
    if (support_[c] == 0) continue;
    sum += recall(c);
    ++present;
  }
  return present == 0 ? 0 : sum / static_cast<double>(present);
}

std::int64_t ClassificationMetrics::support(std::size_t c) const { return support_[c]; }

double ClassificationMetrics::recall(std::size_t c) const { return fraction(confusion_[c][c], support_[c]); }

double ClassificationMetrics::precision(std::size_t c) const {
  std::int64_t predicted = 0;
  for (const auto& row : confusion_) predicted += row[c];
  return fraction(confusion_[c][c], predicted);
}

double ClassificationMetrics::f1(std::size_t c) const {
  const double sum = precision(c) + recall(c);
  return sum == 0 ? 0 : 2 * precision(c) * recall(c) / sum;
}

Result<std::vector<std::int64_t>> argmax_rows(const Tensor& logits) {
  TARMAC_TRY(const Rows rows, rows_of(logits));
  std::vector<std::int64_t> indices(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) indices[i] = argmax(rows[i]);
  return indices;
}

Result<std::vector<std::vector<double>>> softmax_rows(const Tensor& logits) {
  TARMAC_TRY(const Rows rows, rows_of(logits));
  std::vector<std::vector<double>> result(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto row = rows[i];
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double value : row) {
      result[i].push_back(std::exp(value - largest));
      sum += result[i].back();
    }
    for (double& value : result[i]) value /= sum;
  }
  return result;
}

}  // namespace tarmac
