// Pictures and camera frames as inputs, by a plan's contract.
#pragma once

#include "runtime/session_model.h"

namespace tarmac {

// As the functions of Session. Each picture's time is counted.
Result<Tensor> preprocess(const SessionModel& model, const std::string& input,
                          const std::filesystem::path& picture);
Result<Tensor> preprocess(const SessionModel& model, const std::string& input, const CameraFrame& frame);
Status preprocess_into(const SessionModel& model, const std::string& input, const CameraFrame& frame,
                       Tensor& tensor, std::int64_t index);

}  // namespace tarmac
