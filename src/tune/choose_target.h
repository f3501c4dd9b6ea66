// Which target, precision and layout of cores and streams runs a model best on this machine: measured, never
// assumed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "metrics/latency.h"
#include "targets/target.h"
#include "tarmac/plan.h"

namespace tarmac {

enum class Objective : std::uint8_t {
  kLatency,     ///< the lowest median time of one run, nothing else running
  kThroughput,  ///< the most samples a second, all streams at once
};
const char* to_string(Objective objective);

/// How the cores are laid out: `streams` inferences at once share `cores`.
struct CoreLayout {
  int cores = 1;
  int streams = 1;
  bool operator==(const CoreLayout&) const = default;
};
/// What is worth measuring on `cores` cores. Latency: one stream with all cores, half of them, … one.
/// Throughput: all cores in 1, 2, 4, … streams and one a core, and one stream of one core.
std::vector<CoreLayout> core_layouts(int cores, Objective objective);

/// Inputs to measure with.
struct MeasuredShape {
  std::map<std::string, Tensor> inputs;  ///< by name
  std::int64_t samples = 1;              ///< that one run computes
};

/// One way to run the model, and what was found of it.
struct TargetCandidate {
  Target* target = nullptr;
  std::string precision;   ///< "fp32", "int8"
  std::int64_t batch = 0;  ///< that the model is fixed to; 0: as it is
  const Model* model = nullptr;
  CompileOptions compile;
  /// Latency counts at the first, throughput at the best of them. One memory for all candidates of a shape.
  std::shared_ptr<const std::vector<MeasuredShape>> shapes;
  /// The largest inputs, for the workspace; null: those of `shapes`.
  std::shared_ptr<const std::vector<MeasuredShape>> largest;
  /// False: it cannot be chosen, but what is must not be slower.
  bool eligible = true;

  std::string failure;         ///< why it cannot be chosen, or lost; set before: it is not tried
  bool lacked_memory = false;  ///< what failed was the engine's want of memory, not the workspace limit
  bool tried = false;
  std::int64_t compile_ns = 0;
  /// What creating a context and running the largest inputs once added to this process's resident memory.
  std::optional<std::uint64_t> workspace_bytes;
  std::optional<LatencySummary> latency;  ///< of one run, all streams running
  double samples_per_s = 0;
  std::size_t best_shape = 0;              ///< index into `shapes` that samples_per_s is about
  bool finalist = false;                   ///< measured longer, by turns with others
  std::unique_ptr<Executable> executable;  ///< of finalists

  [[nodiscard]] std::string group() const;  ///< candidate_group()
  /// "openvino int8, 2 cores, 1 stream"
  [[nodiscard]] std::string name() const;
};

/// "openvino int8", which a crash is put down to.
std::string candidate_group(const Target& target, const std::string& precision);

struct ChooseOptions {
  Objective objective = Objective::kLatency;
  double look_s = 0.15;               ///< first look at each candidate
  double measure_s = 0.7;             ///< each finalist
  std::size_t finalists = 4;          ///< at most
  double near = 1.3;                  ///< how many times the best's first look a finalist may take
  std::uint64_t workspace_bytes = 0;  ///< that one context may take beside weights; 0: any
  /// Told the group() whose engine works next; "" for none. May be empty.
  std::function<void(const std::string&)> watch;
  /// Told how many seconds the rest will take: what the candidates so far took, for those to come, and the
  /// time to measure. May be empty.
  std::function<void(double)> forecast;
};

/// Compiles each candidate and takes a short look, then measures the best few by turns, and returns the index
/// of the best eligible one; its executable is kept. Losers and those that fail say why. Errors: kUnsupported
/// when none works (lists the reasons), or when the best eligible one loses to one that is not eligible;
/// kResourceExhausted when the workspace limit is what all fail by, or memory what an engine lacked;
/// kCancelled.
Result<std::size_t> choose_target(std::vector<TargetCandidate>& candidates, const ChooseOptions& options,
                                  Progress& progress);

}  // namespace tarmac
