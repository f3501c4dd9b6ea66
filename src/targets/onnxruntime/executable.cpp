#include <cstdlib>
#include <filesystem>
#include <optional>

#include "targets/common/guard.h"
#include "targets/onnxruntime/engine.h"

namespace tarmac::onnxruntime {
namespace {

/// A folder of our own for one profile file, removed with all that is in it.
class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> create() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "tarmac-profile-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr) {
      return make_error(ErrorCode::kIo, "cannot make a temporary folder for the profile at " + path);
    }
    return std::make_unique<TemporaryFolder>(path);
  }
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string prefix() const { return (path_ / "run").string(); }

 private:
  std::filesystem::path path_;
};

class OrtContext final : public BoundContext {
 public:
  explicit OrtContext(std::shared_ptr<const Compiled> compiled)
      : BoundContext(compiled->signature),
        compiled_(std::move(compiled)),
        values_(signature().inputs.size()) {
    for (std::size_t i = 0; i < signature().inputs.size(); ++i) values_[i] = Ort::Value(nullptr);
  }

  /// Opens a session of its own when profiling: ONNX Runtime profiles whole sessions, once.
  Status prepare() {
    session_ = compiled_->session;
    if (compiled_->profile) {
      TARMAC_TRY(profile_folder_, TemporaryFolder::create());
      session_ = std::make_shared<Ort::Session>(open_session(
          compiled_->model.bytes, compiled_->plan, *compiled_->operators, profile_folder_->prefix()));
    }
    binding_.emplace(*session_);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i]) binding_->BindInput(signature().inputs[i].name.c_str(), values_[i]);
    }
    // All of them and in this order: GetOutputValues() gives them in the order in which they were first
    // bound.
    for (std::size_t i = 0; i < signature().outputs.size(); ++i) {
      const char* const name = signature().outputs[i].name.c_str();
      if (output_tensor(i).empty()) {
        binding_->BindOutput(name, memory_);
        continue;
      }
      TARMAC_TRY(const Ort::Value value, borrow(output_tensor(i)));
      binding_->BindOutput(name, value);
    }
    return {};
  }

  Result<std::vector<NodeTime>> profile() override {
    if (!compiled_->profile) {
      return make_error(ErrorCode::kUsage,
                        "node times were asked for, but the model was compiled without profile");
    }
    if (!has_run()) return make_error(ErrorCode::kUsage, "node times were asked for before a successful run");
    if (times_) return *times_;
    return guarded(ErrorCode::kInternal, "ONNX Runtime could not report times",
                   [&]() -> Result<std::vector<NodeTime>> {
                     Ort::AllocatorWithDefaultOptions allocator;
                     const auto path = session_->EndProfilingAllocated(allocator);
                     TARMAC_TRY(times_, read_profile(path.get(), compiled_->model));
                     return *times_;
                   });
  }

 protected:
  Status bind_input(std::size_t index, Tensor& tensor) override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime refused a tensor", [&]() -> Status {
      TARMAC_TRY(values_[index], borrow(tensor));
      binding_->BindInput(signature().inputs[index].name.c_str(), values_[index]);
      return {};
    });
  }

  Status bind_output(std::size_t index, Tensor& tensor) override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime refused memory for a result", [&]() -> Status {
      TARMAC_TRY(const Ort::Value value, borrow(tensor));
      binding_->BindOutput(signature().outputs[index].name.c_str(), value);
      return {};
    });
  }

  Status execute() override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime failed in a run", [&]() -> Status {
      if (times_) {  // the session's one profile is closed
        times_.reset();
        TARMAC_CHECK_OK(prepare());
      }
      results_.clear();
      fetched_.clear();
      // A binding keeps the last result's memory and shape; each run gets new memory unless the caller gave
      // some.
      for (std::size_t i = 0; i < signature().outputs.size(); ++i) {
        if (output_tensor(i).empty()) binding_->BindOutput(signature().outputs[i].name.c_str(), memory_);
      }
      session_->Run(Ort::RunOptions{nullptr}, *binding_);
      results_ = binding_->GetOutputValues();
      fetched_.assign(results_.size(), {});
      return {};
    });
  }

  Result<Tensor> fetch_output(std::size_t index) override {
    if (!output_tensor(index).empty()) return output_tensor(index);
    return guarded(ErrorCode::kInternal, "ONNX Runtime could not hand out a result", [&]() -> Result<Tensor> {
      if (fetched_[index].empty()) {
        TARMAC_TRY(fetched_[index], view_of(std::move(results_[index])));
      }
      return fetched_[index];
    });
  }

 private:
  std::shared_ptr<const Compiled> compiled_;  // its operators outlive the session
  std::shared_ptr<Ort::Session> session_;
  std::unique_ptr<TemporaryFolder> profile_folder_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  std::vector<Ort::Value> values_;  // what the binding points at
  std::optional<Ort::IoBinding> binding_;
  std::vector<Ort::Value> results_;
  std::vector<Tensor> fetched_;  // views made of results_ on demand
  std::optional<std::vector<NodeTime>> times_;
};

class OrtExecutable final : public Executable {
 public:
  explicit OrtExecutable(Compiled compiled)
      : compiled_(std::make_shared<const Compiled>(std::move(compiled))) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override {
    return compiled_->signature->inputs;
  }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override {
    return compiled_->signature->outputs;
  }
  [[nodiscard]] const std::vector<std::string>& notes() const override { return compiled_->notes; }

  Result<std::unique_ptr<Context>> create_context() override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime could not make a context",
                   [&]() -> Result<std::unique_ptr<Context>> {
                     auto context = std::make_unique<OrtContext>(compiled_);
                     TARMAC_CHECK_OK(context->prepare());
                     return std::unique_ptr<Context>(std::move(context));
                   });
  }

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace

std::unique_ptr<Executable> make_executable(Compiled compiled) {
  return std::make_unique<OrtExecutable>(std::move(compiled));
}

}  // namespace tarmac::onnxruntime
