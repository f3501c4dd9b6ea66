// Driving operators as an OpenVINO extension.
#pragma once

#include <openvino/runtime/core.hpp>

namespace tarmac::openvino {

/// Has the ONNX reader make nodes of the domain `tarmac` that run our kernels, on the threads of the compiled
/// model.
void add_driving_operators(ov::Core& core);

}  // namespace tarmac::openvino
