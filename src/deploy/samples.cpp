#include "deploy/samples.h"

#include <algorithm>
#include <memory>

#include "contract/batch_reader.h"
#include "runtime/inputs.h"
#include "sequence/frame_run.h"
#include "verify/reference_engine.h"

namespace tarmac {

Result<SampleSource> complete_samples(const Contract& contract, const Dataset& data, std::size_t batch,
                                      std::size_t limit, const Model& model, Progress& progress) {
  BatchOptions options;
  options.batch_size = batch;
  TARMAC_TRY(auto opened, BatchReader::open(contract, data, options));
  const std::shared_ptr<BatchReader> reader = std::move(opened);
  TARMAC_TRY(Target* const engine, reference_target());
  TARMAC_TRY(auto recorder, StateRecorder::open(state_of(contract), model, *engine, progress));
  const auto state = std::make_shared<StateRecorder>(std::move(recorder));
  return SampleSource([reader, state, left = limit]() mutable -> Result<std::optional<NamedTensors>> {
    if (left == 0) return std::optional<NamedTensors>();
    TARMAC_TRY(auto next, reader->next());
    if (!next) return std::optional<NamedTensors>();
    left -= std::min(left, next->items.size());
    TARMAC_CHECK_OK(state->complete(next->inputs, next->starts_scene));
    return std::optional(std::move(next->inputs));
  });
}

Result<std::map<std::string, Tensor>> timing_sample(const Contract& contract, const Dataset* data,
                                                    const Cell& cell) {
  if (data == nullptr || data->size() == 0) {
    ShapeChoice shapes;
    for (const auto& [name, profile] : contract.profiles) shapes.shapes[name] = profile.opt;
    return random_inputs(cell.executable->inputs(), shapes, 1);
  }
  const std::vector<StateSpec> states = state_of(contract);
  if (states.empty()) return data->load(0);
  TARMAC_TRY(const auto reader, BatchReader::open(contract, *data));
  TARMAC_TRY(FrameRun run, FrameRun::open(*cell.executable, states));
  std::map<std::string, Tensor> sample;
  // The second frame: a scene's first state is zeros, which some engines are quicker with.
  for (int frame = 0; frame < 2; ++frame) {
    TARMAC_TRY(auto batch, reader->next());
    if (!batch) break;
    TARMAC_CHECK_OK(run.run(batch->inputs, frame == 0));
    TARMAC_TRY(sample, run.state());
    sample.merge(batch->inputs);
  }
  return sample;
}

}  // namespace tarmac
