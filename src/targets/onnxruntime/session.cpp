#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "targets/common/cores.h"
#include "targets/onnxruntime/operators.h"

namespace tarmac::onnxruntime {
namespace {

void ORT_API_CALL forward_log(void* /*state*/, OrtLoggingLevel level, const char* /*category*/,
                              const char* /*id*/, const char* /*place*/, const char* message) {
  const auto ours = level >= ORT_LOGGING_LEVEL_ERROR     ? LogLevel::kError
                    : level == ORT_LOGGING_LEVEL_WARNING ? LogLevel::kWarning
                                                         : LogLevel::kDebug;
  log(ours, std::string("ONNX Runtime: ") + message);
}

constexpr const char* kCpu = "CPUExecutionProvider";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// "CUDA", "cuda" and "CUDAExecutionProvider" are the same.
bool names_provider(const std::string& asked, const std::string& provider) {
  const std::string full = lower(provider);
  return lower(asked) == full || lower(asked) + "executionprovider" == full;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void append_provider(Ort::SessionOptions& options, const std::string& provider) {
  const OrtApi& api = Ort::GetApi();
  if (provider == kCpu) return;  // always there, always last
  if (provider == "CUDAExecutionProvider") {
    OrtCUDAProviderOptionsV2* cuda = nullptr;
    Ort::ThrowOnError(api.CreateCUDAProviderOptions(&cuda));
    const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> owner(
        cuda, api.ReleaseCUDAProviderOptions);
    options.AppendExecutionProvider_CUDA_V2(*cuda);
  } else if (provider == "TensorrtExecutionProvider") {
    OrtTensorRTProviderOptionsV2* tensorrt = nullptr;
    Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&tensorrt));
    const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)> owner(
        tensorrt, api.ReleaseTensorRTProviderOptions);
    options.AppendExecutionProvider_TensorRT_V2(*tensorrt);
  } else if (provider == "OpenVINOExecutionProvider") {
    options.AppendExecutionProvider_OpenVINO_V2();
  } else {  // the generic call wants the name without its ending
    options.AppendExecutionProvider(provider.substr(0, provider.rfind("ExecutionProvider")));
  }
}

}  // namespace

Ort::Env& environment() {
  static auto* const kEnvironment = [] {
    // From 1.29 on the official library keeps a device ID and a queue of events in the user's cache folder
    // and sends them over the network, unless this is set before it begins; its API comes too late.
    setenv("ORT_DISABLE_TELEMETRY", "1", /*overwrite=*/0);
    return new Ort::Env(ORT_LOGGING_LEVEL_WARNING, "tarmac", forward_log, nullptr);
  }();
  return *kEnvironment;
}

Result<SessionPlan> plan_session(const CompileOptions& options, std::vector<std::string>& notes) {
  SessionPlan plan;
  plan.allow_fallback = options.allow_fallback;
  plan.engine_optimizations = options.engine_optimizations;
  TARMAC_TRY(const int cores, resolve_cores(options.cores, notes));
  TARMAC_CHECK_OK(check_streams(options.streams));
  // Callers work too, each as one of the threads that ONNX Runtime counts, and share those of its pool: so
  // many together make `cores`. With 1 there is no pool.
  plan.threads = std::max(1, cores - options.streams + 1);
  const std::vector<std::string> available = Ort::GetAvailableProviders();
  const auto asked = options.providers.empty() ? std::vector<std::string>{"CPU"} : options.providers;
  for (const std::string& name : asked) {
    const auto found = std::find_if(available.begin(), available.end(), [&](const std::string& provider) {
      return names_provider(name, provider);
    });
    if (found != available.end()) {
      plan.providers.push_back(*found);
      continue;
    }
    const std::string missing =
        "execution provider '" + name + "' is not in this ONNX Runtime; it has: " + join(available);
    if (!options.allow_fallback) {
      return make_error(ErrorCode::kUnavailable,
                        missing + ". Install an ONNX Runtime with it, or allow fallback");
    }
    notes.push_back(missing + "; fell back to the next");
  }
  if (plan.providers.empty()) {
    return make_error(ErrorCode::kUnavailable, "none of the execution providers " + join(asked) +
                                                   " is in this ONNX Runtime; it has: " + join(available));
  }
  plan.cpu_only = plan.providers.front() == kCpu;
  return plan;
}

namespace {

Ort::SessionOptions session_options(const SessionPlan& plan, const DrivingOperators& operators) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(plan.threads);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.AddConfigEntry("session.inter_op.allow_spinning", "0");
  options.SetGraphOptimizationLevel(plan.engine_optimizations ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
  // On the CPU its SkipLayerNormalization takes 4 to 7 times as long as the Add and LayerNormalization that
  // it would put it in place of (1×1000×256 and 1×128×768, ONNX Runtime 1.32).
  if (plan.cpu_only) {
    options.AddConfigEntry("optimization.disable_specified_optimizers",
                           "SkipLayerNormFusion;EmbedLayerNormFusion");
  }
  // Without leave to fall back, a node that the listed providers cannot run is an error instead of moving to
  // the CPU.
  const bool cpu_listed =
      std::find(plan.providers.begin(), plan.providers.end(), kCpu) != plan.providers.end();
  if (!plan.cpu_only && !(plan.allow_fallback && cpu_listed)) {
    options.AddConfigEntry("session.disable_cpu_ep_fallback", "1");
  }
  for (const auto& provider : plan.providers) append_provider(options, provider);
  operators.add_to(options);
  return options;
}

Ort::Session open_with(const EngineModel& model, Ort::SessionOptions& options) {
  std::vector<Ort::Value> weights;
  for (const Tensor& tensor : model.weights) {
    auto value = borrow(tensor);
    if (!value) throw Ort::Exception(value.error().str(), ORT_INVALID_ARGUMENT);
    weights.push_back(*std::move(value));
  }
  if (!weights.empty()) options.AddExternalInitializers(model.weight_names, weights);
  Ort::Session session(environment(), model.bytes.data(), model.bytes.size(), options);
  // Kernels have their own layouts of most weights by now.
  for (const Tensor& tensor : model.weights) release_pages(tensor.bytes());
  return session;
}

/// A file without a name, in memory.
class MemoryFile {
 public:
  static Result<std::unique_ptr<MemoryFile>> create() {
    const int descriptor = memfd_create("tarmac-engine", MFD_CLOEXEC);
    if (descriptor < 0) {
      return make_error(ErrorCode::kIo, std::string("cannot make a file in memory: ") + std::strerror(errno));
    }
    return std::make_unique<MemoryFile>(descriptor);
  }
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

Ort::Session open_session(const EngineModel& model, const SessionPlan& plan,
                          const DrivingOperators& operators, const std::string& profile_prefix) {
  Ort::SessionOptions options = session_options(plan, operators);
  if (!profile_prefix.empty()) options.EnableProfiling(profile_prefix.c_str());
  return open_with(model, options);
}

Ort::Session open_ort_file(std::span<const std::byte> file, const SessionPlan& plan,
                           const DrivingOperators& operators) {
  Ort::SessionOptions options = session_options(plan, operators);
  options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);  // it was optimised before it was written
  options.AddConfigEntry("session.load_model_format", "ORT");
  options.AddConfigEntry("session.use_ort_model_bytes_directly", "1");
  options.AddConfigEntry("session.use_ort_model_bytes_for_initializers", "1");
  Ort::Session session(environment(), file.data(), file.size(), options);
  release_pages(file);
  return session;
}

Result<std::string> make_ort_file(const EngineModel& model, const SessionPlan& plan,
                                  const DrivingOperators& operators) {
  TARMAC_TRY(const auto file, MemoryFile::create());
  Ort::SessionOptions options = session_options(plan, operators);
  options.SetOptimizedModelFilePath(file->path().c_str());
  options.AddConfigEntry("session.save_model_format", "ORT");
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_ERROR);  // it warns that the file is for this machine alone
  (void)open_with(model, options);
  TARMAC_TRY(const auto mapped, MappedFile::open(file->path()));
  return std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
}

}  // namespace tarmac::onnxruntime
