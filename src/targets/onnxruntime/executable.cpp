#include <cstdlib>
#include <filesystem>
#include <optional>

#include "targets/common/guard.h"
#include "targets/common/output_shapes.h"
#include "targets/onnxruntime/engine.h"
#include "targets/onnxruntime/engine_form.h"

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

/// Results whose shapes follow from the inputs' are written where the run before left them; others get new
/// memory from ONNX Runtime in each run.
class OrtContext final : public BoundContext {
 public:
  explicit OrtContext(std::shared_ptr<const Compiled> compiled)
      : BoundContext(compiled->signature), compiled_(std::move(compiled)), shapes_(signature()) {
    const auto& [inputs, outputs] = signature();
    for (const TensorInfo& input : inputs) input_names_.push_back(input.name.c_str());
    for (const TensorInfo& output : outputs) output_names_.push_back(output.name.c_str());
    for (std::size_t i = 0; i < inputs.size(); ++i) values_.emplace_back(nullptr);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      results_.push_back({std::make_shared<Ort::Value>(nullptr), {}});
    written_.resize(outputs.size());
  }

  /// Opens a session of its own when profiling: ONNX Runtime profiles whole sessions, once.
  Status prepare() {
    session_ = compiled_->session;
    if (compiled_->profile) {
      TARMAC_TRY(profile_folder_, TemporaryFolder::create());
      session_ = std::make_shared<Ort::Session>(
          open_session(compiled_->model, compiled_->plan, *compiled_->operators, profile_folder_->prefix()));
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
      return {};
    });
  }

  Status bind_output(std::size_t index, Tensor& tensor) override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime refused memory for a result", [&]() -> Status {
      TARMAC_TRY(Ort::Value value, borrow(tensor));
      results_[index].drop();
      *results_[index].owner = std::move(value);
      return {};
    });
  }

  Status execute() override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime failed in a run", [&]() -> Status {
      if (times_) {  // the session's one profile is closed
        times_.reset();
        TARMAC_CHECK_OK(prepare());
      }
      run_options_.UnsetTerminate();
      drop_results();
      for (std::size_t i = 0; i < results_.size(); ++i) written_[i] = results_[i].value();
      Ort::ThrowOnError(Ort::GetApi().Run(*session_, run_options_, input_names_.data(),
                                          reinterpret_cast<const OrtValue* const*>(values_.data()),
                                          values_.size(), output_names_.data(), output_names_.size(),
                                          written_.data()));
      for (std::size_t i = 0; i < results_.size(); ++i) results_[i].take(written_[i]);
      return {};
    });
  }

  void stop() override {
    (void)guarded(ErrorCode::kInternal, "ONNX Runtime could not stop a run", [&]() -> Status {
      run_options_.SetTerminate();
      return {};
    });
  }

  Result<const Tensor*> fetch_output(std::size_t index) override {
    return guarded(ErrorCode::kInternal, "ONNX Runtime could not hand out a result",
                   [&]() -> Result<const Tensor*> {
                     Tensor& view = results_[index].view;
                     if (view.empty()) {
                       TARMAC_TRY(view, view_of(results_[index].owner));
                     }
                     return &view;
                   });
  }

 private:
  /// Memory of a result, the caller's or the engine's; the latter lives as long as a view of it.
  struct Memory {
    std::shared_ptr<Ort::Value> owner;
    Tensor view;  ///< made on demand

    [[nodiscard]] OrtValue* value() const { return *owner; }
    void drop() {
      view = {};
      if (owner.use_count() == 1) {
        *owner = Ort::Value(nullptr);  // keeps the block that counts owners
      } else {
        owner = std::make_shared<Ort::Value>(nullptr);
      }
    }
    void take(OrtValue* made) {
      if (made != value()) *owner = Ort::Value(made);
    }
  };

  /// All results of the latest run but those that this one writes again in place.
  void drop_results() {
    const bool same_inputs = std::exchange(run_version_, shapes_version()) == shapes_version();
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (output_tensor(i).empty() && !(same_inputs && is_as_declared(i))) results_[i].drop();
    }
  }

  /// Whether the latest run gave the shape that the model's types say; they may be wrong.
  bool is_as_declared(std::size_t index) {
    Memory& result = results_[index];
    if (!shapes_.known(index) || result.value() == nullptr || !result.owner->IsTensor()) return false;
    if (result.view.empty()) {
      auto view = view_of(result.owner);
      if (!view) return false;
      result.view = *std::move(view);
    }
    return result.view.dtype() != DType::kString &&
           shapes_.is_shape(index, input_tensors(), result.view.shape());
  }

  std::shared_ptr<const Compiled> compiled_;  // its operators outlive the session
  std::shared_ptr<Ort::Session> session_;
  std::unique_ptr<TemporaryFolder> profile_folder_;
  Ort::RunOptions run_options_;
  OutputShapes shapes_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<Ort::Value> values_;  // over the inputs
  std::vector<Memory> results_;
  std::vector<OrtValue*> written_;  // what a run is given of results_, and gives back
  std::uint64_t run_version_ = 0;   // shapes_version() of the latest run
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

  [[nodiscard]] Result<std::string> save_engine() const override {
    if (!compiled_->saveable) {
      return make_error(ErrorCode::kUnsupported,
                        "ONNX Runtime writes its form of a model only for one that "
                        "was compiled with CompileOptions::saveable");
    }
    if (!compiled_->plan.cpu_only) {
      return make_error(ErrorCode::kUnsupported, "ONNX Runtime's form of a model is for its CPU provider");
    }
    return guarded(ErrorCode::kUnsupported, "ONNX Runtime cannot write its form of the model",
                   [&]() -> Result<std::string> {
                     TARMAC_TRY(std::string file,
                                make_ort_file(compiled_->model, compiled_->plan, *compiled_->operators));
                     return pack_engine(std::move(file), compiled_->model.driving);
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
