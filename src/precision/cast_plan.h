// Which nodes of a float32 model go to 16 bits, and which stay, by what their numbers are on data.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "precision/calibrate.h"
#include "precision/rounding_executor.h"
#include "precision/units.h"
#include "precision/value_stats.h"

namespace tarmac {

struct PlanOptions {
  DType type = DType::kFloat16;  ///< or kBFloat16
  bool keep_io = false;          ///< inputs and outputs stay float32
  /// Numbers times this must not overflow: new data is larger than the samples.
  double headroom = 2;
  /// A node that adds more noise than this by itself stays; 0: 40 dB for float16, 30 dB for bfloat16, whose
  /// roundings alone are at about 73 and 55 dB.
  double min_snr_db = 0;
  /// The model's outputs must agree within this share of their range.
  double tolerance = 0.01;
  /// How many batches the data has, for the progress bar; 0: unknown.
  std::uint64_t batches = 0;
  /// Names of nodes, or operators, that stay in float32 in any case.
  std::set<std::string> keep;
  /// What is to run the result; nodes that one of them refuses in 16 bits stay.
  std::vector<Target*> targets;
};

/// A node, input or output that stays in float32, and the figures that say why.
struct KeptInFloat32 {
  std::string node;     ///< Node::label(), or the name of the input or output
  std::string op_type;  ///< "input" and "output" for those
  std::string reason;
  std::optional<ValueStats> stats;  ///< of the tensor that decided
};

/// An output of the model in the emulated run against the float32 run, over all samples.
struct PlannedOutput {
  std::string name;
  double max_rel = 0;
  double snr_db = 0;
  std::int64_t broken = 0;  ///< elements that are infinite or NaN on one side only
};

/// Adds one sample's outputs, both runs by name, to the rows of `outputs`, which it makes at the first.
Status compare_sample(const std::map<std::string, Tensor>& reference,
                      const std::map<std::string, Tensor>& other, std::vector<PlannedOutput>& outputs);

/// Opens the data from its beginning, for each round.
using DataFactory = std::function<Result<BatchSource>()>;

struct CastPlan {
  std::vector<bool> float32;  ///< by unit
  std::vector<KeptInFloat32> kept;
  std::vector<PlannedOutput> outputs;
  std::uint64_t samples = 0;  ///< batches that were run
  int rounds = 0;             ///< emulated runs until the outputs agreed
  bool everything_float32 = false;
  bool within_tolerance = false;
};

/// The types of a run in which these units are float32 and all others `type`. Refers to `units`.
Typing typing_of(const PrecisionUnits& units, std::vector<bool> float32, DType type);

/// Plans the precision of one model. All arguments must outlive it.
class CastPlanner {
 public:
  /// `engine` computes single nodes.
  CastPlanner(const Model& model, PrecisionUnits& units, const PlanOptions& options, Target& engine)
      : model_(model), units_(units), options_(options), executor_(model, engine) {}

  /// Runs each node on the data in float32 and, on the same inputs rounded, in 16 bits, and pins what the
  /// figures say. Errors: kInvalidInput without data, the executor's with the node, kCancelled.
  Status profile(const DataFactory& data, Progress& progress);

  /// Runs the mixed model in emulation until its outputs agree, each round keeping more; in the end
  /// everything is float32. After profile(); again after more was pinned.
  Result<CastPlan> settle(const DataFactory& data, Progress& progress);

  /// The figures of profile().
  [[nodiscard]] const std::unordered_map<const Value*, ValueStats>& stats() const { return alone_; }

 private:
  using Stats = std::unordered_map<const Value*, ValueStats>;
  Result<std::uint64_t> run(const std::vector<bool>& float32, Comparing comparing, const DataFactory& data,
                            const char* task, Progress& progress, Stats& stats,
                            std::vector<PlannedOutput>& outputs);
  void judge();
  void judge_borders(const std::vector<PlannedOutput>& outputs);
  void pin(int unit, const std::string& reason, const ValueStats* stats);
  Result<CastPlan> emulate(const DataFactory& data, Progress& progress, Stats& whole);
  Status release(const DataFactory& data, Progress& progress, CastPlan& plan);
  void list_kept(CastPlan& plan) const;
  bool keep_more(const std::vector<bool>& float32, const Stats& whole,
                 const std::vector<PlannedOutput>& outputs);

  const Model& model_;
  PrecisionUnits& units_;
  const PlanOptions& options_;
  RoundingExecutor executor_;
  Stats alone_;  ///< each node by itself, on the reference's inputs
  std::unordered_map<int, ValueStats> deciding_;
  std::vector<int> added_;  ///< units that the last round pinned for their noise
  int rounds_ = 0;
  double share_ = 0.05;  ///< of the candidates that the next round keeps
};

}  // namespace tarmac
