#include "cli/compile_args.h"

#include <algorithm>
#include <filesystem>

#include "base/child_process.h"
#include "cli/args/byte_size.h"
#include "cli/args/fraction.h"
#include "cli/args/shape_args.h"
#include "cli/suggest.h"

namespace tarmac::cli {
namespace {

constexpr double kShareOfMemory = 0.8;

std::string one_of(const std::string& word, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return {};
  return fmt::format("expected {}, found '{}'{}", fmt::join(words, " or "), word, did_you_mean(word, words));
}

}  // namespace

void CompileArgs::add(CLI::App& command) {
  command.add_option("model", model, "ONNX file")->type_name("MODEL")->required();
  command.add_option("-o,--output", output, "File for the plan")->type_name("FILE")->required();
  target.add_one(command)
      ->description("Engine, or auto: measure what is here and take the best")
      ->type_name("auto|TARGET")
      ->required();
  command
      .add_option("--objective", objective,
                  "What counts: the median time of one run, or samples a second with all streams running "
                  "(default: latency). Given with one engine, layouts of the cores are tried as well")
      ->type_name("latency|throughput")
      ->check([](const std::string& word) {
        return one_of(word, {"latency", "throughput"});
      })
      ->group("Choice");
  command
      .add_option("--precision", precisions,
                  "What the plan may compute in; int8 quantises the model, for which it needs --data or a "
                  "contract with data (default: the model as it is)")
      ->type_name("fp32[,int8]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check([](const std::string& word) {
        return one_of(word, {"fp32", "int8"});
      })
      ->group("Choice");
  command
      .add_option(
          "--max-drop", max_drop,
          "Points of the contract's metric (without one: of agreement with the float model) that INT8 "
          "may cost; what costs more stays in float (default: the contract's limits, else 2%, all "
          "in INT8)")
      ->type_name("2%")
      ->group("Choice");
  command
      .add_option("--streams", streams,
                  "Inferences at once to lay the cores out for (default: 1; auto: measured)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->group("Choice");
  command
      .add_option(
          "--workspace", workspace,
          "Memory that one context may take beside weights, such as 4GiB: what creating it and running "
          "the largest shapes once adds to resident memory (default: any)")
      ->type_name("SIZE")
      ->group("Choice");
  command
      .add_option("--profile", profiles,
                  "Shapes that the plan admits, 'NAME:MIN,OPT,MAX'; further inputs after ';', further "
                  "profiles by repeating it (default: the contract's, else every shape)")
      ->type_name("PROFILE")
      ->allow_extra_args(false)
      ->group("Shapes");
  command
      .add_option("--bucket", buckets,
                  "Shapes to make ready when the plan is opened, 'NAME:1x3x96x96;…', besides the OPT shapes; "
                  "several by repeating it")
      ->type_name("SHAPES")
      ->allow_extra_args(false)
      ->group("Shapes");
  command
      .add_option("--batch", batches,
                  "Instead of a profile: fix an open first axis to this; several, with --objective "
                  "throughput: to the best of them")
      ->type_name("N[,N]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 65536))
      ->group("Shapes");
  data.default_samples = 500;
  data.add(
      command,
      "Data to calibrate INT8 on: a folder of pictures or .npy, .npz with an array for each input, or .npy");
  command
      .add_option("--cache-dir", cache_folder,
                  "Folder with finished plans, from which the same one is taken again (default: "
                  "${XDG_CACHE_HOME:-~/.cache}/tarmac-plans)")
      ->type_name("DIR")
      ->group("Build");
  command.add_flag("--no-cache", no_cache, "Build and measure in any case, and keep nothing")->group("Build");
  command
      .add_option("--memory-limit", memory_limit,
                  "Memory that building may take (default: 80 % of what is free)")
      ->type_name("SIZE")
      ->group("Build");
  command
      .add_option("--stall-limit", stall_s,
                  "Give an engine up that has not moved for so many seconds (default: 900)")
      ->type_name("S")
      ->check(CLI::PositiveNumber)
      ->group("Build");
  command.add_option("--sign", key, "PEM file of the Ed25519 private key to sign the plan with")
      ->type_name("KEY")
      ->group("Plan");
  command
      .add_option("--export-engine", engine_file, "Write the engine's own compiled form to this file as well")
      ->type_name("FILE")
      ->group("Plan");
  command
      .add_flag("--no-engine", no_engine,
                "Leave the engine's own compiled form out of the plan: smaller, but slower to open")
      ->group("Plan");
  command.add_option("--worker", worker)->group("");
}

bool CompileArgs::wants(const std::string& precision) const {
  return std::find(precisions.begin(), precisions.end(), precision) != precisions.end();
}

Objective CompileArgs::wanted_objective() const {
  return objective == "throughput" ? Objective::kThroughput : Objective::kLatency;
}

Status CompileArgs::check() const {
  TARMAC_CHECK_OK(profile_request());
  TARMAC_CHECK_OK(workspace_bytes());
  if (!memory_limit.empty()) TARMAC_CHECK_OK(parse_byte_size("--memory-limit", memory_limit));
  if (!batches.empty() && !profiles.empty()) {
    return make_error(ErrorCode::kUsage,
                      "--batch stands for a profile of one batch; with --profile, write the batch into it");
  }
  if (batches.size() > 1 && wanted_objective() != Objective::kThroughput) {
    return make_error(ErrorCode::kUsage,
                      "several --batch sizes are compared by samples a second; add --objective throughput");
  }
  if (wants("int8") && !data.given()) {
    return make_error(ErrorCode::kUsage,
                      "--precision int8 calibrates on real data; add --data DIR with --contract deploy.yaml, "
                      "--data FILE.npz, or a contract that names data");
  }
  if (!max_drop.empty()) {
    if (!wants("int8"))
      return make_error(ErrorCode::kUsage, "--max-drop is about INT8; add --precision int8");
    TARMAC_TRY(const double share, parse_fraction("--max-drop", max_drop));
    if (share >= 1)
      return make_error(ErrorCode::kUsage, "--max-drop " + max_drop + ": expected less than 100%");
  }
  if (no_cache && !cache_folder.empty())
    return make_error(ErrorCode::kUsage, "--cache-dir and --no-cache contradict each other; leave one out");
  if (!is_auto()) TARMAC_CHECK_OK(open_target(target.name()));
  std::error_code ignored;
  if (!key.empty() && !std::filesystem::exists(key, ignored))
    return make_error(ErrorCode::kNotFound, "there is no key file of this name; check --sign", {}, key);
  return {};
}

Result<std::uint64_t> CompileArgs::workspace_bytes() const {
  if (workspace.empty()) return std::uint64_t{0};
  return parse_byte_size("--workspace", workspace);
}

Result<std::uint64_t> CompileArgs::memory_limit_bytes() const {
  if (!memory_limit.empty()) return parse_byte_size("--memory-limit", memory_limit);
  TARMAC_TRY(const std::uint64_t free, available_memory());
  return static_cast<std::uint64_t>(static_cast<double>(free) * kShareOfMemory);
}

Result<ProfileRequest> CompileArgs::profile_request() const {
  ProfileRequest request;
  for (const std::string& text : profiles) {
    TARMAC_TRY(request.ranges.emplace_back(), parse_profile(text));
  }
  for (const std::string& text : buckets) {
    TARMAC_TRY(request.buckets.emplace_back(), parse_bucket(text));
  }
  return request;
}

Result<std::vector<Target*>> CompileArgs::targets() const {
  std::vector<Target*> list;
  if (!is_auto()) {
    TARMAC_TRY(list.emplace_back(), find_target(target.name()));
    return list;
  }
  for (const char* name : {"openvino", "onnxruntime"}) {
    TARMAC_TRY(list.emplace_back(), find_target(name));
  }
  return list;
}

std::string CompileArgs::fingerprint() const {
  return Json({{"target", target.name()},
               {"providers", target.providers},
               {"fallback", target.allow_fallback},
               {"cores", target.cores},
               {"objective", objective},
               {"precisions", precisions},
               {"streams", streams},
               {"profiles", profiles},
               {"buckets", buckets},
               {"batches", batches},
               {"workspace", workspace},
               {"max_drop", max_drop},
               {"samples", data.samples},
               {"seed", data.seed.value_or(0)},
               {"has_seed", data.seed.has_value()},
               {"data", data.data},
               {"no_engine", no_engine}})
      .dump();
}

}  // namespace tarmac::cli
