#include "precision/calibrate_dataset.h"

#include <algorithm>

#include "contract/batch_reader.h"
#include "sequence/frame_run.h"

namespace tarmac {
namespace {

Result<std::size_t> batch_of(const Model& model, const std::vector<std::string>& values,
                             const Contract& contract, const Dataset& data, std::size_t asked) {
  if (contract.sequence && asked > 1)
    return make_error(ErrorCode::kUsage, "frames in order run one at a time; leave --batch out");
  if (contract.sequence || data.holds_whole_inputs()) return std::size_t{1};
  if (asked != 0) return asked;
  for (const InputSpec& input : contract.inputs) {
    if (!input.shape.empty() && input.shape.front().fixed())
      return static_cast<std::size_t>(input.shape.front().size);
  }
  return choose_calibration_batch(model, values);
}

CalibrationSource batches_of(BatchReader& reader) {
  return [&reader]() -> Result<std::optional<CalibrationBatch>> {
    TARMAC_TRY(auto read, reader.next());
    if (!read) return std::optional<CalibrationBatch>();
    return std::optional(calibration_batch(*std::move(read)));
  };
}

}  // namespace

Result<DatasetCalibration> calibrate_dataset(const Model& model, const std::vector<std::string>& values,
                                             Target& target, CalibrateOptions options,
                                             const Contract& contract, const Dataset& data, std::size_t batch,
                                             Progress& progress) {
  BatchOptions reading;
  TARMAC_TRY(reading.batch_size, batch_of(model, values, contract, data, batch));
  options.state = state_of(contract);
  TARMAC_TRY(const auto reader, BatchReader::open(contract, data, reading));
  const CalibrationSource next = batches_of(*reader);
  progress.start("calibrate", (data.size() + reading.batch_size - 1) / reading.batch_size);
  DatasetCalibration done;
  TARMAC_TRY(done.found, calibrate(model, values, target, options, next, progress));
  progress.finish();
  done.unreadable = reader->unreadable();
  return done;
}

Result<SampleSet> choose_samples(const Contract& contract, Dataset data, const Model& model, Target& target,
                                 Progress& progress) {
  constexpr std::int64_t kMost = 32;
  constexpr std::int64_t kFramesToASample = 3;
  constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20U;
  data.choose(contract.sequence ? kFramesToASample * kMost : kMost, 0);
  TARMAC_TRY(const auto reader, BatchReader::open(contract, data));
  TARMAC_TRY(StateRecorder recorder, StateRecorder::open(state_of(contract), model, target, progress));
  std::uint64_t every = 1;
  std::uint64_t frame = 0;
  const CalibrationSource next = [&,
                                  frames = batches_of(*reader)]() -> Result<std::optional<CalibrationBatch>> {
    while (true) {
      if (progress.cancelled())
        return make_error(ErrorCode::kCancelled, "interrupted while samples were chosen");
      TARMAC_TRY(auto batch, frames());
      if (!batch) return batch;
      TARMAC_CHECK_OK(recorder.complete(batch->inputs, batch->starts_scene));
      // Neighbours in a sequence look alike: a few frames of each scene say more than all of the first.
      if (frame == 0 && contract.sequence)
        every =
            std::max<std::uint64_t>({1, data.size() / kMost, data.size() * bytes_of(*batch) / kMostBytes});
      if (frame++ % every == 0) return batch;
    }
  };
  return take_samples(next, kMost, kMostBytes);
}

}  // namespace tarmac
