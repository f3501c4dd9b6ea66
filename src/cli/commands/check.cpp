#include <memory>

#include "cli/args/model_args.h"
#include "cli/args/target_args.h"
#include "cli/commands/commands.h"
#include "report/model_json.h"

namespace tarmac::cli {
namespace {

struct CheckArgs {
  std::string model;
  TargetArgs target;
};

/// Nodes of one operator that got the same verdict for the same reason.
struct Group {
  std::string operator_name;
  Verdict verdict = Verdict::kSupported;
  std::string reason;
  std::string remedy;
  std::vector<std::string> nodes;
};

std::vector<Group> group(const std::vector<NodeVerdict>& verdicts) {
  std::map<std::tuple<Verdict, std::string, std::string>, Group> groups;
  for (const NodeVerdict& verdict : verdicts) {
    const std::string name = operator_name(verdict);
    Group& group = groups[{verdict.verdict, name, verdict.reason}];
    group = {name, verdict.verdict, verdict.reason, verdict.remedy, std::move(group.nodes)};
    group.nodes.push_back(verdict.node);
  }
  std::vector<Group> result;
  for (auto& [key, group] : groups) result.push_back(std::move(group));
  return result;
}

void print_problems(Output& output, const std::vector<Group>& groups) {
  constexpr std::size_t kShownNodes = 5;
  for (const Group& group : groups) {
    if (group.verdict == Verdict::kSupported) continue;
    output.line("  {} ({}, {} nodes): {}", group.operator_name, to_string(group.verdict), group.nodes.size(),
                group.reason);
    if (!group.remedy.empty()) output.line("    what to do: {}", group.remedy);
    const auto shown = std::min(kShownNodes, group.nodes.size());
    output.line(
        "    nodes: {}{}",
        fmt::join(group.nodes.begin(), group.nodes.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
        group.nodes.size() > shown ? fmt::format(" and {} more", group.nodes.size() - shown) : "");
  }
}

/// Whether every node may run: a fallback counts only if the caller allows it.
const NodeVerdict* first_problem(const std::vector<NodeVerdict>& verdicts, bool allow_fallback) {
  for (const NodeVerdict& verdict : verdicts) {
    if (verdict.verdict == Verdict::kRefused || (verdict.verdict == Verdict::kFallback && !allow_fallback))
      return &verdict;
  }
  return nullptr;
}

Status check(const CheckArgs& args, Run& run) {
  std::vector<Target*> targets;
  for (const std::string& name : args.target.names) {
    TARMAC_TRY(targets.emplace_back(), named_target(name));
  }
  TARMAC_TRY(const Model model, load_onnx_model(args.model));
  Status status;
  Json& list = run.output.json()["targets"] = Json::array();
  for (Target* const target : targets) {
    TARMAC_TRY(const auto verdicts, target->check(model, args.target.compile_options(), run.progress));
    const auto groups = group(verdicts);
    std::map<Verdict, std::size_t> counts;
    for (const NodeVerdict& verdict : verdicts) ++counts[verdict.verdict];
    const NodeVerdict* const problem = first_problem(verdicts, args.target.allow_fallback);
    const std::string version = target->version().empty() ? "" : " (" + target->version() + ")";
    run.output.line("{}{}: {}; {} nodes supported, {} fallback, {} refused", target->name(), version,
                    problem == nullptr ? "runs" : "does not run", counts[Verdict::kSupported],
                    counts[Verdict::kFallback], counts[Verdict::kRefused]);
    print_problems(run.output, groups);
    list.push_back({{"target", target->name()},
                    {"engine_version", target->version()},
                    {"runs", problem == nullptr},
                    {"supported", counts[Verdict::kSupported]},
                    {"fallback", counts[Verdict::kFallback]},
                    {"refused", counts[Verdict::kRefused]},
                    {"nodes", to_json(verdicts)}});
    if (problem != nullptr && status.ok()) {
      status =
          make_error(ErrorCode::kUnsupported,
                     fmt::format("target {} does not run {}: {}{}{}", target->name(), operator_name(*problem),
                                 problem->reason, problem->remedy.empty() ? "" : "; ", problem->remedy),
                     problem->node, args.model);
    }
  }
  return status;
}

}  // namespace

void add_check(Commands& commands) {
  const auto args = std::make_shared<CheckArgs>();
  CLI::App& command =
      commands.add("check", "Say for every node whether a target runs it, why not, and what to do",
                   {"tarmac check model.onnx --target openvino",
                    "tarmac check model.onnx --target openvino,onnxruntime --json",
                    "tarmac check model.onnx --target onnxruntime --providers CUDA,CPU --allow-fallback",
                    "tarmac check model.onnx --target tensorrt"},
                   [args](Run& run) { return check(*args, run); });
  command.add_option("model", args->model, "ONNX file")->type_name("MODEL")->required();
  args->target.add_several(command)->required();
}

}  // namespace tarmac::cli
