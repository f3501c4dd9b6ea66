#include "deploy/compare_geometries.h"

#include <algorithm>
#include <cmath>

#include "contract/preprocess_geometry.h"
#include "verify/evaluate.h"

namespace tarmac {
namespace {

/// Grey levels apart, counted in 256ths of one, so that any number of pictures takes the same memory.
class Levels {
 public:
  void add(float a, float b) {
    const double apart = std::abs(double{a} - double{b});
    sum_ += apart;
    max_ = std::max(max_, apart);
    ++count_;
    ++bins_[std::min(bins_.size() - 1, static_cast<std::size_t>(apart * kBinsALevel))];
  }

  void write(report::GeometryComparison& row) const {
    row.max_levels = max_;
    row.mean_levels = count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
    std::uint64_t below = 0;
    std::size_t bin = 0;
    while (bin + 1 < bins_.size() && (below += bins_[bin]) * 100 < count_ * 99) ++bin;
    row.p99_levels = std::min(max_, static_cast<double>(bin + 1) / kBinsALevel);
  }

 private:
  static constexpr int kBinsALevel = 256;
  std::vector<std::uint64_t> bins_ = std::vector<std::uint64_t>(std::size_t{256} * kBinsALevel);
  double sum_ = 0;
  double max_ = 0;
  std::uint64_t count_ = 0;
};

Contract with_geometry(Contract contract, Geometry geometry) {
  contract.inputs.front().geometry = geometry;
  return contract;
}

/// One picture at a time in grey levels: the contract without its normalisation.
Contract as_levels(Contract contract) {
  InputSpec& input = contract.inputs.front();
  if (std::holds_alternative<NormalizeStep>(input.preprocess.back())) input.preprocess.pop_back();
  input.dtype = DType::kFloat32;
  input.shape.front() = InputDim{1, {}};
  return contract;
}

Status compare_levels(const Contract& contract, const DataSource& source, report::GeometryComparison& row,
                      Progress& progress) {
  const Contract fused = as_levels(contract);
  const Contract opencv = with_geometry(fused, Geometry::kOpenCv);
  TARMAC_TRY(const Dataset fused_data, Dataset::open(fused, source));
  TARMAC_TRY(const Dataset opencv_data, Dataset::open(opencv, source));
  BatchOptions options;
  options.threads = 1;
  TARMAC_TRY(const auto fused_reader, BatchReader::open(fused, fused_data, options));
  TARMAC_TRY(const auto opencv_reader, BatchReader::open(opencv, opencv_data, options));
  Levels levels;
  progress.start("compare geometries", fused_data.size());
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "the comparison was interrupted");
    TARMAC_TRY(const auto a, fused_reader->next());
    TARMAC_TRY(const auto b, opencv_reader->next());
    if (!a || !b) break;
    const auto fused_values = a->inputs.begin()->second.data<float>();
    const auto opencv_values = b->inputs.begin()->second.data<float>();
    for (std::size_t i = 0; i < std::min(fused_values.size(), opencv_values.size()); ++i)
      levels.add(fused_values[i], opencv_values[i]);
    ++row.samples;
    progress.advance();
  }
  progress.finish();
  levels.write(row);
  return {};
}

Status compare_accuracy(const Contract& contract, const std::vector<Cell>& cells,
                        report::GeometryComparison& row, Progress& progress) {
  const Contract opencv = with_geometry(contract, Geometry::kOpenCv);
  TARMAC_TRY(const Dataset data, Dataset::open(opencv, *contract.evaluation_data));
  std::vector<Executable*> executables;
  for (const Cell& cell : cells) {
    if (cell.result.variant != "original") continue;
    executables.push_back(cell.executable.get());
    row.accuracy.push_back({cell.result.variant, cell.result.target, 0, 0});
    if (cell.result.accuracy) row.accuracy.back().fused = cell.result.accuracy->value;
  }
  TARMAC_TRY(const auto evaluations, evaluate(executables, opencv, data, {}, progress));
  for (std::size_t i = 0; i < evaluations.size(); ++i) row.accuracy[i].opencv = evaluations[i].score.value;
  return {};
}

}  // namespace

Status compare_geometries(const Contract& contract, const std::vector<Cell>& cells,
                          report::DeployReport& report, Progress& progress) {
  const bool fused = std::any_of(contract.inputs.begin(), contract.inputs.end(), [](const InputSpec& input) {
    return input.is_picture() && input.geometry == Geometry::kFused;
  });
  if (!fused) return {};
  const auto not_compared = [&](const std::string& why) {
    report.notes.push_back("geometry fused was not compared with opencv: " + why);
    return Status();
  };
  const DataSource* const source = contract.evaluation_data ? &*contract.evaluation_data
                                   : contract.calibration   ? &*contract.calibration
                                                            : nullptr;
  if (source == nullptr || source->kind == DataKind::kTensors)
    return not_compared("the contract has no data of pictures");
  const InputSpec& input = contract.inputs.front();
  if (const auto possible = check_geometry(with_geometry(contract, Geometry::kOpenCv).inputs.front());
      !possible)
    return not_compared(possible.error().message);
  report::GeometryComparison row;
  row.input = input.name;
  row.data = source->path.string();
  TARMAC_CHECK_OK(compare_levels(contract, *source, row, progress));
  // Agreement is with the same model on the same pixels: it says nothing of other pixels.
  if (contract.evaluation && contract.evaluation_data &&
      contract.evaluation->metric != EvaluationMetric::kAgreement)
    TARMAC_CHECK_OK(compare_accuracy(contract, cells, row, progress));
  report.geometry = std::move(row);
  return {};
}

}  // namespace tarmac
