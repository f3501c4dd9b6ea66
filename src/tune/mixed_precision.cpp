#include "tune/mixed_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include "graph/model_io.h"
#include "runtime/compile.h"
#include "tune/compare_latency.h"
#include "tune/group_noise.h"
#include "tune/group_times.h"
#include "tune/sensitivity.h"
#include "tune/twin_model.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

// A drop of exactly the budget is inside whatever the last bit of a score.
constexpr double kRounding = 1e-9;
// Groups that are tried in INT8 again once a prefix stays inside.
constexpr std::size_t kMostGivenBack = 8;

std::string milliseconds(double ns) { return fmt::format("{:.3g} ms", ns / 1e6); }

/// A model with some groups in float, compiled.
struct Candidate {
  std::vector<std::size_t> kept;  ///< indices of groups
  Model model;
  QuantizeReport report;
  std::unique_ptr<Executable> executable;
  double drop = 0;  ///< on the held samples, later on all
};

class Search {
 public:
  Search(const MixedPrecisionJob& job, Progress& progress)
      : job_(job), progress_(progress), plain_(clone_model(job.model)) {
    name_nodes(plain_);
  }

  Result<MixedPrecisionResult> run() {
    const auto begin = Clock::now();
    if (job_.groups.groups.empty()) {
      return make_error(ErrorCode::kInvalidInput,
                        "nothing in this model can be quantised for " + job_.target.name());
    }
    TARMAC_TRY(plain_executable_, compile(plain_));
    MetricSamples samples(job_.contract, job_.data, *plain_executable_, job_.hold);
    samples_ = &samples;
    TARMAC_TRY(Candidate all, make({}));
    TARMAC_TRY(const auto scores, samples.hold(*all.executable, progress_));
    result_.metric = evaluation_of(job_.contract).metric;
    result_.samples = scores.samples;
    result_.held_samples = samples.held_samples();
    result_.float_score = scores.plain;
    result_.int8_score = scores.other;
    all.drop = scores.plain - scores.other;
    TARMAC_CHECK_OK(describe(all.model));
    result_.searched = !inside(all);
    std::optional<Candidate> mixed;
    if (result_.searched) {
      TARMAC_CHECK_OK(rank(all.model));
      order_ = keep_order(result_.rows);
      TARMAC_TRY(mixed, search());
      if (!inside(*mixed)) {
        // What costs much latency came last; by noise alone it may come in time.
        order_ = noise_order(result_.rows);
        TARMAC_TRY(Candidate other, search());
        if (other.drop < mixed->drop) mixed = std::move(other);
      }
    }
    Candidate& chosen = mixed ? *mixed : all;
    say_forms(chosen.report);
    TARMAC_CHECK_OK(judge(chosen, all));
    put_culprits_first(result_.rows);
    result_.model = std::move(chosen.model);
    result_.report = std::move(chosen.report);
    result_.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool inside(const Candidate& candidate) const {
    return candidate.drop <= job_.max_drop + kRounding;
  }

  Result<std::unique_ptr<Executable>> compile(const Model& model) const {
    Model copy = clone_model(model);
    return compile_model(job_.target, copy, job_.compile, progress_);
  }

  [[nodiscard]] std::string reason(const GroupRow& row) const {
    if (row.sensitivity.value_or(0) > 0) {
      return fmt::format("INT8 costs {:.2f} points of {}", 100 * *row.sensitivity,
                         display_name(result_.metric));
    }
    return fmt::format("INT8 leaves a signal-to-noise ratio of {:.1f} dB", row.snr_db.value_or(0));
  }

  [[nodiscard]] FusionGroups without(const std::vector<std::size_t>& kept) const {
    std::map<std::string, std::string> reasons;
    for (const std::size_t group : kept)
      reasons.emplace(job_.groups.groups[group].name, reason(result_.rows[group]));
    return keep_in_float(plain_, job_.groups, reasons);
  }

  /// Quantises and compiles with these groups in float.
  Result<Candidate> make(std::vector<std::size_t> kept) {
    if (progress_.cancelled()) return make_error(ErrorCode::kCancelled, "the search was interrupted");
    Candidate candidate;
    candidate.model = clone_model(plain_);
    TARMAC_TRY(candidate.report, job_.quantize(candidate.model, without(kept)));
    TARMAC_TRY(candidate.executable, compile(candidate.model));
    candidate.kept = std::move(kept);
    ++result_.compiled_candidates;
    return candidate;
  }

  /// The same, with its drop on the held samples.
  Result<Candidate> try_out(std::vector<std::size_t> kept) {
    TARMAC_TRY(Candidate candidate, make(std::move(kept)));
    TARMAC_TRY(const auto context, candidate.executable->create_context());
    TARMAC_TRY(const double score, samples_->score_held(*context, *candidate.executable, progress_));
    candidate.drop = samples_->held_plain() - score;
    progress_.advance();
    return candidate;
  }

  /// Replaces the drop on the held samples by that on all.
  Status confirm(Candidate& candidate) {
    if (samples_->holds_all()) return {};
    TARMAC_TRY(const double score, samples_->score_all(*candidate.executable, progress_));
    candidate.drop = result_.float_score - score;
    return {};
  }

  /// A row for each group, with its times.
  Status describe(const Model& quantized) {
    const auto& inputs = samples_->held().front().inputs;
    Model plain = clone_model(plain_);
    TARMAC_TRY(const auto float_ns,
               measure_group_times(job_.groups, plain, job_.target, job_.compile, inputs, progress_));
    Model copy = clone_model(quantized);
    TARMAC_TRY(const auto int8_ns,
               measure_group_times(job_.groups, copy, job_.target, job_.compile, inputs, progress_));
    for (std::size_t i = 0; i < job_.groups.groups.size(); ++i) {
      GroupRow row;
      row.node = job_.groups.groups[i].name;
      row.op_type = job_.groups.groups[i].op_type;
      row.float_ns = float_ns[i];
      row.int8_ns = int8_ns[i];
      result_.rows.push_back(std::move(row));
    }
    return {};
  }

  /// Noise of all groups, points of the noisiest.
  Status rank(const Model& quantized) {
    const TwinParts parts{plain_, quantized, job_.groups};
    const auto batches = samples_->held().first(std::min(job_.noise_batches, samples_->held().size()));
    TARMAC_TRY(const auto noise, measure_noise(parts, job_.target, job_.compile, batches, progress_));
    for (std::size_t i = 0; i < noise.size(); ++i) result_.rows[i].snr_db = noise[i].snr_db();
    std::vector<std::size_t> noisiest = noise_order(result_.rows);
    noisiest.resize(std::min(noisiest.size(), job_.top_k));
    TARMAC_TRY(const Sensitivities found, measure_sensitivities(parts, noisiest, *samples_, job_.target,
                                                                {job_.compile, job_.max_drop}, progress_));
    for (std::size_t i = 0; i < noisiest.size(); ++i) result_.rows[noisiest[i]].sensitivity = found.values[i];
    result_.toggled_inferences = found.inferences;
    return {};
  }

  [[nodiscard]] std::vector<std::size_t> prefix(std::size_t length) const {
    return {order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(length)};
  }

  /// The candidate with the fewest groups of order_ in float that stays inside on all samples, or the one
  /// with the least drop.
  Result<Candidate> search() {
    progress_.start("search what stays in float", 0);
    // One group at least is in INT8; arithmetic does not stay alone.
    std::size_t most = order_.size() - 1;
    while (most > 0 && without(prefix(most)).groups.empty()) --most;
    std::size_t too_few = 0;
    std::size_t length = std::min<std::size_t>(1, most);
    std::optional<Candidate> best;
    // Doubling, then halving: culprits are few.
    while (length > too_few) {
      TARMAC_TRY(Candidate candidate, try_out(prefix(length)));
      const bool is_inside = inside(candidate);
      if (is_inside || !best || candidate.drop < best->drop) best = std::move(candidate);
      if (is_inside) break;
      too_few = length;
      length = std::min(2 * length, most);
    }
    if (!best) {  // a single group, which must be in INT8
      TARMAC_TRY(best, try_out({}));
    }
    while (inside(*best) && best->kept.size() > too_few + 1) {
      length = (too_few + best->kept.size()) / 2;
      TARMAC_TRY(Candidate candidate, try_out(prefix(length)));
      if (inside(candidate)) {
        best = std::move(candidate);
      } else {
        too_few = length;
      }
    }
    TARMAC_CHECK_OK(confirm(*best));
    // What the held samples did not show.
    while (!inside(*best) && best->kept.size() < most) {
      TARMAC_TRY(Candidate candidate,
                 try_out(prefix(std::min(most, best->kept.size() + 1 + best->kept.size() / 4))));
      TARMAC_CHECK_OK(confirm(candidate));
      best = std::move(candidate);
    }
    if (inside(*best)) {
      TARMAC_TRY(best, give_back(*std::move(best)));
    }
    progress_.finish();
    return *std::move(best);
  }

  /// Drops groups from those kept in float, the least worthy first, while the rest stays inside.
  Result<Candidate> give_back(Candidate best) {
    std::vector<std::size_t> doubtful(best.kept.rbegin(), best.kept.rend());
    doubtful.resize(std::min(doubtful.size(), kMostGivenBack));
    for (const std::size_t group : doubtful) {
      if (best.kept.size() < 2) break;
      std::vector<std::size_t> fewer = best.kept;
      std::erase(fewer, group);
      TARMAC_TRY(Candidate candidate, try_out(std::move(fewer)));
      if (!inside(candidate)) continue;
      TARMAC_CHECK_OK(confirm(candidate));
      if (inside(candidate)) best = std::move(candidate);
    }
    return best;
  }

  /// Groups beside those that were chosen are in float too, where they only stood between these.
  void say_forms(const QuantizeReport& report) {
    std::map<std::string, const QuantizedNode*> nodes;
    for (const QuantizedNode& node : report.nodes) nodes.emplace(node.node, &node);
    for (GroupRow& row : result_.rows) {
      const auto node = nodes.find(row.node);
      if (node == nodes.end()) continue;
      row.int8 = node->second->quantized;
      row.reason = node->second->reason;
    }
  }

  /// Latencies, and what they and the drop mean.
  Status judge(const Candidate& chosen, const Candidate& all) {
    std::vector<Executable*> models = {plain_executable_.get(), chosen.executable.get()};
    if (result_.searched) models.push_back(all.executable.get());
    TARMAC_TRY(const auto times,
               median_latencies(models, samples_->held().front().inputs, job_.measure_s, progress_));
    result_.float_ns = times[0];
    result_.mixed_ns = times[1];
    result_.int8_ns = result_.searched ? times[2] : times[1];
    result_.score = result_.float_score - chosen.drop;
    result_.verdict = verdict(chosen);
    return {};
  }

  [[nodiscard]] Status verdict(const Candidate& chosen) const {
    const std::size_t all = result_.rows.size();
    const auto in_int8 =
        std::count_if(result_.rows.begin(), result_.rows.end(), [](const GroupRow& row) { return row.int8; });
    if (!inside(chosen)) {
      return make_error(
          ErrorCode::kAcceptance,
          fmt::format("no mix of INT8 and float keeps {} within {:.2f} points of the float model's {:.2f}: "
                      "the best, with {} of {} groups in INT8, loses {:.2f}; allow a larger drop, calibrate "
                      "on more data or by another method",
                      display_name(result_.metric), 100 * job_.max_drop, 100 * result_.float_score, in_int8,
                      all, 100 * chosen.drop));
    }
    if (result_.mixed_ns > result_.float_ns) {
      return make_error(ErrorCode::kUnsupported,
                        fmt::format("with {} of {} groups in INT8 the model takes {} on {}, in float {}: "
                                    "keep the float model, or choose another target",
                                    in_int8, all, milliseconds(result_.mixed_ns), job_.target.name(),
                                    milliseconds(result_.float_ns)));
    }
    return {};
  }

  const MixedPrecisionJob& job_;
  Progress& progress_;
  Model plain_;  // every node with a name
  std::unique_ptr<Executable> plain_executable_;
  MetricSamples* samples_ = nullptr;
  MixedPrecisionResult result_;
  std::vector<std::size_t> order_;  // of groups, in which they go to float
};

}  // namespace

Result<MixedPrecisionResult> tune_precision(const MixedPrecisionJob& job, Progress& progress) {
  return Search(job, progress).run();
}

}  // namespace tarmac
