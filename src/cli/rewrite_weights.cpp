#include "cli/rewrite_weights.h"

#include <algorithm>

#include "plan/cpu_features.h"
#include "precision/activation_profile.h"
#include "precision/quantize_dynamic.h"
#include "precision/quantize_weights.h"
#include "precision/to_qoperator.h"

namespace tarmac::cli {
namespace {

constexpr std::size_t kBatch = 8;

void print_rows(const std::vector<RewrittenNode>& nodes, const std::string& key, Run& run) {
  Table table({{"node"}, {"operator"}, {"became"}, {"reason"}});
  Json& rows = run.output.json()[key] = Json::array();
  for (const RewrittenNode& node : nodes) {
    Json row = {{"node", node.node},
                {"operator", node.op_type},
                {"quantized", !node.became.empty()},
                {"became", node.became},
                {"reason", node.reason}};
    if (node.stored_bytes != 0) {
      row["float_bytes"] = node.float_bytes;
      row["stored_bytes"] = node.stored_bytes;
    }
    if (node.error) {
      row["nearest_error"] = *node.nearest_error;
      row["error"] = *node.error;
    }
    rows.push_back(std::move(row));
    if (!node.reason.empty()) table.add({node.node, node.op_type, node.became, node.reason});
  }
  if (!table.empty()) table.print(run.output);
}

Result<ActivationProfiles> look_at_activations(const Model& model, const RewriteJob& job, Run& run) {
  TARMAC_TRY(const CalibrationSource batches, job.data->complete_batches(kBatch));
  run.progress.start("look at activations", job.data->batch_count(kBatch));
  auto profiles = profile_activations(model, activations_of_products(model), job.target, job.options, batches,
                                      run.progress);
  run.progress.finish();
  return profiles;
}

Result<std::vector<RewrittenNode>> rewrite(Model& model, const RewriteJob& job, Run& run) {
  if (job.mode == "dynamic") {
    DynamicOptions options;
    options.weight_bits = int8_weight_bits();
    options.convolutions = job.allow_slower;
    return quantize_dynamic(model, options);
  }
  WeightOptions options;
  options.bits = job.args.bits;
  if (job.args.block != 0) options.block = job.args.block;
  options.symmetric = job.args.symmetric;
  ActivationProfiles profiles;
  const bool aware = job.args.bits == 4 && job.data != nullptr && job.args.weight_method != "nearest";
  if (aware) {
    TARMAC_TRY(profiles, look_at_activations(model, job, run));
    options.activations = &profiles;
  }
  run.output.json()["weight_method"] = aware ? "activation-aware" : "nearest";
  return quantize_weights(model, options);
}

}  // namespace

Status rewrite_weights(Model& model, const RewriteJob& job, Run& run) {
  TARMAC_TRY(const std::vector<RewrittenNode> nodes, rewrite(model, job, run));
  std::size_t quantized = 0;
  std::uint64_t float_bytes = 0;
  std::uint64_t stored_bytes = 0;
  for (const RewrittenNode& node : nodes) {
    if (node.became.empty()) continue;
    ++quantized;
    float_bytes += node.float_bytes;
    stored_bytes += node.stored_bytes;
  }
  run.output.json()["float_weight_bytes"] = float_bytes;
  run.output.json()["stored_weight_bytes"] = stored_bytes;
  run.output.line("Quantised {} of {} nodes; their weights: {} before, {} after", quantized, nodes.size(),
                  format_bytes(float_bytes), format_bytes(stored_bytes));
  print_rows(nodes, "nodes", run);
  return {};
}

Status rewrite_format(Model& model, Run& run) {
  TARMAC_TRY(const std::vector<RewrittenNode> nodes, to_qoperator(model));
  const auto rewritten = static_cast<std::size_t>(std::count_if(
      nodes.begin(), nodes.end(), [](const RewrittenNode& node) { return !node.became.empty(); }));
  run.output.line("{} of {} nodes became operators of integers", rewritten, nodes.size());
  print_rows(nodes, "format", run);
  return {};
}

}  // namespace tarmac::cli
