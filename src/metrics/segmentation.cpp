#include "metrics/segmentation.h"

#include <algorithm>
#include <set>
#include <utility>

#include "metrics/class_map.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

double fraction(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Error wrong(const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); }

}  // namespace

SegmentationMetrics::Counts::Counts(std::size_t classes)
    : confusion(classes, std::vector<std::int64_t>(classes, 0)), support(classes, 0) {}

void SegmentationMetrics::Counts::add(const Counts& other) {
  for (std::size_t label = 0; label < support.size(); ++label) {
    support[label] += other.support[label];
    for (std::size_t c = 0; c < support.size(); ++c) confusion[label][c] += other.confusion[label][c];
  }
}

std::int64_t SegmentationMetrics::Counts::predicted(std::size_t c) const {
  std::int64_t sum = 0;
  for (const auto& row : confusion) sum += row[c];
  return sum;
}

std::int64_t SegmentationMetrics::Counts::in_union(std::size_t c) const {
  return support[c] + predicted(c) - confusion[c][c];
}

double SegmentationMetrics::Counts::mean_iou(double without_pixels) const {
  double sum = 0;
  std::int64_t present = 0;
  for (std::size_t c = 0; c < support.size(); ++c) {
    const std::int64_t in_either = in_union(c);
    if (in_either == 0) continue;
    sum += fraction(confusion[c][c], in_either);
    ++present;
  }
  return present == 0 ? without_pixels : sum / static_cast<double>(present);
}

SegmentationMetrics::SegmentationMetrics(std::vector<std::string> class_names, double threshold)
    : class_names_(std::move(class_names)), threshold_(threshold), counts_(class_names_.size()) {}

Result<SegmentationMetrics> SegmentationMetrics::create(std::vector<std::string> class_names,
                                                        double threshold) {
  if (class_names.size() < 2 || class_names.size() > static_cast<std::size_t>(kIgnoredLabel)) {
    return wrong("segmentation needs 2 to 255 classes (background included), found " +
                 std::to_string(class_names.size()));
  }
  const std::set<std::string> distinct(class_names.begin(), class_names.end());
  if (distinct.size() != class_names.size())
    return wrong("two classes have the same name; every class needs its own");
  return SegmentationMetrics(std::move(class_names), threshold);
}

Result<SegmentationMetrics::Counts> SegmentationMetrics::count(std::span<const std::int32_t> predicted,
                                                               const Tensor& labels) const {
  const auto classes = static_cast<std::int64_t>(class_names_.size());
  TARMAC_TRY(const std::vector<std::int64_t> truth, to_int64s(labels));
  Counts counts(class_names_.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] == kIgnoredLabel) continue;
    if (truth[i] < 0 || truth[i] >= classes) {
      return wrong("found the label " + std::to_string(truth[i]) + " in a label map; expected 0 to " +
                   std::to_string(classes - 1) + ", or 255 for pixels that do not count");
    }
    if (predicted[i] >= classes) {
      return wrong("found the class " + std::to_string(predicted[i]) + " in the output; the contract has " +
                   std::to_string(classes) + " labels");
    }
    const auto label = static_cast<std::size_t>(truth[i]);
    ++counts.support[label];
    if (predicted[i] >= 0) ++counts.confusion[label][static_cast<std::size_t>(predicted[i])];
  }
  return counts;
}

Status SegmentationMetrics::add(const Tensor& scores, std::span<const Tensor> labels) {
  TARMAC_TRY(const ClassMap map, class_map(scores, threshold_));
  if (map.shape.size() != 3 || map.shape[0] != static_cast<std::int64_t>(labels.size()) ||
      (map.scored != 0 && map.scored != static_cast<std::int64_t>(class_names_.size()))) {
    return wrong("expected scores [" + std::to_string(labels.size()) + ", " +
                 std::to_string(class_names_.size()) + ", height, width] for " +
                 std::to_string(labels.size()) + " label maps and " + std::to_string(class_names_.size()) +
                 " classes, or the classes [samples, height, width] as integers; found " +
                 to_string(scores.shape()));
  }
  const Shape size(map.shape.begin() + 1, map.shape.end());
  Counts batch(class_names_.size());
  std::vector<double> iou;
  const std::size_t places = labels.empty() ? 0 : map.classes.size() / labels.size();
  for (std::size_t n = 0; n < labels.size(); ++n) {
    if (labels[n].shape() != size) {
      return wrong("expected a label map " + to_string(size) + ", as the output; found " +
                   to_string(labels[n].shape()));
    }
    TARMAC_TRY(const Counts sample, count(std::span(map.classes).subspan(n * places, places), labels[n]));
    batch.add(sample);
    iou.push_back(sample.mean_iou(1));
  }
  counts_.add(batch);
  sample_iou_.insert(sample_iou_.end(), iou.begin(), iou.end());
  return {};
}

std::int64_t SegmentationMetrics::pixels() const {
  std::int64_t sum = 0;
  for (const std::int64_t one : counts_.support) sum += one;
  return sum;
}

double SegmentationMetrics::mean_iou() const { return counts_.mean_iou(0); }

double SegmentationMetrics::iou(std::size_t c) const {
  return fraction(counts_.confusion[c][c], counts_.in_union(c));
}

double SegmentationMetrics::pixel_accuracy() const {
  std::int64_t correct = 0;
  for (std::size_t c = 0; c < class_names_.size(); ++c) correct += counts_.confusion[c][c];
  return fraction(correct, pixels());
}

std::int64_t SegmentationMetrics::support(std::size_t c) const { return counts_.support[c]; }
std::int64_t SegmentationMetrics::predicted(std::size_t c) const { return counts_.predicted(c); }

double SegmentationMetrics::recall(std::size_t c) const {
  return fraction(counts_.confusion[c][c], counts_.support[c]);
}

double SegmentationMetrics::precision(std::size_t c) const {
  return fraction(counts_.confusion[c][c], counts_.predicted(c));
}

Result<Tensor> resize_labels(const Tensor& labels, std::int64_t height, std::int64_t width) {
  const Shape& from = labels.shape();
  if (labels.dtype() != DType::kUint8 || from.size() != 2 || labels.count() == 0 || height < 1 || width < 1) {
    return wrong(std::string("expected a label map of bytes [height, width] and a size above 0, found ") +
                 to_string(labels.dtype()) + " " + to_string(from) + " and " + std::to_string(height) +
                 " x " + std::to_string(width));
  }
  if (from[0] == height && from[1] == width) return labels;
  TARMAC_TRY(Tensor resized, Tensor::allocate(DType::kUint8, {height, width}));
  const auto in = labels.data<std::uint8_t>();
  auto out = resized.mutable_data<std::uint8_t>().begin();
  // floor((i + 0.5) · from / to) without rounding.
  const auto source = [](std::int64_t i, std::int64_t from_size, std::int64_t to_size) {
    return (2 * i + 1) * from_size / (2 * to_size);
  };
  for (std::int64_t y = 0; y < height; ++y) {
    const auto row = in.subspan(static_cast<std::size_t>(source(y, from[0], height) * from[1]));
    for (std::int64_t x = 0; x < width; ++x)
      *out++ = row[static_cast<std::size_t>(source(x, from[1], width))];
  }
  return resized;
}

}  // namespace tarmac
