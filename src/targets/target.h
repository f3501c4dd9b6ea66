// The one interface between Tarmac and the engines that run models. Vendor headers and exceptions stay inside
// each target's folder; every failure comes out as an Error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "ops/operator.h"
#include "targets/fusion.h"
#include "tarmac/node_time.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Whether a target runs a node.
enum class Verdict : std::uint8_t {
  kSupported,
  kFallback,  ///< runs, but not on the first provider or device of the list; only if the caller allows it
  kRefused,   ///< unsupported, or known to be computed wrongly
};
const char* to_string(Verdict verdict);

struct NodeVerdict {
  std::string node;  ///< Node::label()
  std::string op_type;
  std::string domain;
  Verdict verdict = Verdict::kSupported;
  std::string reason;  ///< empty when supported
  std::string remedy;  ///< what the user can do about it
};

struct TensorInfo {
  std::string name;
  Type type;
};

struct CompileOptions {
  /// Threads the compiled model may use, calling thread included; 0: as many as the process may run on.
  int cores = 0;
  /// Inferences at once that the engine is laid out for; the cores are divided among them.
  int streams = 1;
  /// ONNX Runtime's execution providers in order of preference ("CPU", "CUDA", "TensorRT", …); other targets
  /// take none.
  std::vector<std::string> providers{};
  /// Whether nodes may run on a later provider than the first.
  bool allow_fallback = false;
  /// Record per-node times (slower).
  bool profile = false;
  /// False: the engine's own graph rewriting off as far as it can be, for reference results.
  bool engine_optimizations = true;
  /// Keep what Executable::save_engine() may need.
  bool saveable = false;
};

/// One inference at a time on a compiled model. Not thread-safe; contexts of one executable may run at once.
class Context {
 public:
  virtual ~Context() = default;

  /// Binds an input for the runs that follow. The bytes are borrowed, not copied, when the engine can read
  /// them where they are; the tensor is kept alive. Errors: kNotFound (names the inputs there are),
  /// kInvalidInput (dtype, rank, size against the model's type; says both).
  virtual Status set_input(const std::string& name, const Tensor& tensor) = 0;
  /// Has the engine write this output into caller-provided memory of exactly the result's shape. Optional.
  virtual Status set_output(const std::string& name, const Tensor& tensor) = 0;
  /// Forgets what inputs were given; each must be given again before the next run. Lets go of their tensors.
  virtual void unbind_inputs() = 0;
  /// Errors: kInvalidInput when an input is unbound, kInternal for engine failures.
  virtual Status run() = 0;
  /// The result of the latest run; valid until the next run() or the context's end (clone() to keep).
  virtual Result<Tensor> output(const std::string& name) = 0;
  /// As output(), assigned to a tensor that is used again: nothing is allocated where its rank stays.
  virtual Status read_output(const std::string& name, Tensor& result) = 0;
  /// Asks a run under way to stop soon; it then ends with kCancelled. From any thread, and again where one
  /// call came before the engine had begun. Nothing happens where no run is under way, or the engine cannot.
  virtual void cancel() {}
  /// Times of the latest run; kUsage unless compiled with `profile`.
  virtual Result<std::vector<NodeTime>> profile() = 0;
};

/// A model compiled for a target; thread-safe. Keeps what it needs of the model alive.
class Executable {
 public:
  virtual ~Executable() = default;
  [[nodiscard]] virtual const std::vector<TensorInfo>& inputs() const = 0;
  [[nodiscard]] virtual const std::vector<TensorInfo>& outputs() const = 0;
  /// What the user should know: fallbacks taken, precision the engine chose, threads in use.
  [[nodiscard]] virtual const std::vector<std::string>& notes() const = 0;
  virtual Result<std::unique_ptr<Context>> create_context() = 0;
  /// The engine's own compiled form, for Target::load_engine() or the engine's own tools. Errors:
  /// kUnsupported where the engine has none, or needs CompileOptions::saveable for it.
  [[nodiscard]] virtual Result<std::string> save_engine() const;
};

class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  /// Engine and version, e.g. "OpenVINO 2026.4.0 (CPU)"; empty when its library is not there.
  [[nodiscard]] virtual std::string version() const = 0;
  /// OK, or kUnavailable with the library that is missing and how to get it.
  [[nodiscard]] virtual Status available() const = 0;
  /// A verdict for every node of the main graph, nested graphs and called functions. Where the engine takes
  /// every node alone but not the model, one more entry without a node name carries its reason.
  virtual Result<std::vector<NodeVerdict>> check(const Model& model, const CompileOptions& options,
                                                 Progress& progress) = 0;
  /// Whether the engine has every operator of a small model: what check() says of it, or what can be had of
  /// the engine sooner than by compiling. Errors: kUnsupported with the reason.
  virtual Status knows(const Model& model);
  /// Whether it has a kernel for a driving operator; others run the body that such a node may carry.
  [[nodiscard]] virtual bool runs(const ops::Operator& /*op*/) const { return false; }
  /// What it computes as INT8 kernels.
  [[nodiscard]] virtual const FusionRules& fusion_rules() const;
  /// Refuses (kUnsupported, naming the first node and the remedy) what check() would refuse.
  virtual Result<std::unique_ptr<Executable>> compile(const Model& model, const CompileOptions& options,
                                                      Progress& progress) = 0;
  /// From what save_engine() gave; `owner` keeps the bytes alive and in place. An engine trusts its own
  /// files: it must be one that this user made on this machine or whose signer is trusted, of this very
  /// version(). `inputs` and `outputs` are those of the model. Errors: kUnsupported where the engine has no
  /// such form, or with options.profile (node names are not in it); kInvalidModel.
  virtual Result<std::unique_ptr<Executable>> load_engine(std::span<const std::byte> engine,
                                                          std::shared_ptr<const void> owner,
                                                          const std::vector<TensorInfo>& inputs,
                                                          const std::vector<TensorInfo>& outputs,
                                                          const CompileOptions& options);
};

/// Every target that was built in, in order of preference.
const std::vector<Target*>& all_targets();
/// kUsage with the list of names when there is none of this name.
Result<Target*> find_target(const std::string& name);

}  // namespace tarmac
