#include "runtime/engine.h"

#include <sched.h>

#include "runtime/inputs.h"

namespace tarmac::bench {

void Request::run_until(Clock::time_point end, std::atomic<std::int64_t>& runs) {
  while (Clock::now() < end) {
    run();
    ++runs;
  }
}

FrameInputs::FrameInputs(const Tensors& inputs) {
  for (Tensors& copy : copies_) {
    for (const auto& [name, tensor] : inputs) copy[name] = value_of(tensor.clone());
  }
}

std::unique_ptr<Engine> load(const Setup& setup) {
  if (setup.engine == "tarmac") return load_tarmac(setup);
  if (setup.engine == "openvino") return load_openvino(setup);
  if (setup.engine == "onnxruntime") return load_onnxruntime(setup);
  throw std::runtime_error("no engine '" + setup.engine + "'; there is tarmac, openvino, onnxruntime");
}

Tensors made_up_inputs(const std::vector<TensorSpec>& inputs, int batch) {
  Tensors tensors;
  std::uint64_t seed = 1;
  for (const TensorSpec& input : inputs) {
    if (!input.shape) throw std::runtime_error("input '" + input.name + "' has no rank");
    Shape shape;
    for (const TensorDim& dim : *input.shape) {
      const auto* const size = std::get_if<std::int64_t>(&dim);
      shape.push_back(size != nullptr ? *size : batch);
    }
    tensors[input.name] = value_of(random_tensor(input.dtype, shape, seed++));
  }
  return tensors;
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace tarmac::bench
