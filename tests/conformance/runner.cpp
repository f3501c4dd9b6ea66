// Runs every conformance case on one target and judges the outcome against the engine's own Python API.
//   conformance_runner TARGET [--json FILE] [--filter TEXT] [--cases FOLDER] [--processes N]
//                             [--opset N --required PERCENT | --optimize]
// With --opset, the cases that the engine gets right are converted to that opset first: none may come out
// wrong, and at least that share must pass. Cases older than what conversion starts from are left out.
// With --optimize, the cases that pass must pass optimised for this target as well. Exit codes: 0 all is
// well, 1 a case is wrong and not exempt, an exemption is stale, too few of the engine's own cases pass, or
// optimising breaks one; 77 the cases or the target are not here (ctest: skipped).
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "conformance/case.h"
#include "conformance/isolate.h"
#include "passes/convert_opset.h"
#include "passes/pass_manager.h"
#include "support/cases.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"

namespace tarmac::conformance {
namespace {

namespace fs = std::filesystem;

constexpr int kSkipped = 77;
constexpr double kRequiredShare = 0.95;
constexpr std::chrono::seconds kCaseTimeout{120};
const fs::path kFolder = fs::path(TARMAC_SOURCE_DIR) / "tests/conformance";

struct Options {
  std::string target;
  std::string filter;
  fs::path json;
  fs::path cases;
  std::int64_t opset = 0;
  double required_percent = 0;
  bool optimize = false;
  int processes = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
};

struct Entry {
  std::string name;
  Verdict verdict;
};

bool parse_options(int argc, char** argv, Options& options) {
  if (argc < 2) return false;
  options.target = argv[1];
  options.cases = test::cases_folder();
  for (int i = 2; i < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--optimize") {
      options.optimize = true;
      --i;  // takes no value
      continue;
    }
    if (i + 1 == argc) return false;
    const std::string value = argv[i + 1];
    if (key == "--json")
      options.json = value;
    else if (key == "--filter")
      options.filter = value;
    else if (key == "--cases")
      options.cases = value;
    else if (key == "--opset")
      options.opset = std::atoi(value.c_str());
    else if (key == "--required")
      options.required_percent = std::atof(value.c_str());
    else if (key == "--processes")
      options.processes = std::max(1, std::atoi(value.c_str()));
    else
      return false;
  }
  return true;
}

/// Lines of a list: "name" or "name: reason"; # starts a comment.
std::map<std::string, std::string> read_list(const fs::path& path) {
  std::map<std::string, std::string> entries;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto colon = line.find(": ");
    entries[line.substr(0, colon)] = colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  return entries;
}

std::vector<std::string> list_cases(const Options& options) {
  std::vector<std::string> names;
  for (const auto& kind : fs::directory_iterator(options.cases)) {
    if (!kind.is_directory()) continue;
    for (const auto& item : fs::directory_iterator(kind.path())) {
      const std::string name = kind.path().filename() / item.path().filename();
      if (name.find(options.filter) != std::string::npos) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Converts a case's model; an empty verdict's reason "too old" takes it out of the count.
constexpr const char* kTooOld = "too old";
Status convert(Model& model, std::int64_t opset) {
  if (model.opset() < kOldestOpset) return make_error(ErrorCode::kUnsupported, kTooOld);
  return convert_opset(model, opset);
}

/// Everything that `tarmac optimize --target` does.
Status optimize_for(Target& target, Model& model) {
  TARMAC_TRY(Target* const engine, find_target("onnxruntime"));
  TargetEvaluator evaluator(engine->available() ? *engine : target);
  const TargetSupport support({&target});
  OptimizeOptions options;
  options.evaluator = &evaluator;
  options.support = &support;
  const auto done = optimize(model, options);
  return done ? Status() : Status(done.error());
}

std::vector<Entry> run_all(Target& target, const Options& options, const std::vector<std::string>& names,
                           const Tolerances& tolerances, const std::function<Status(Model&)>& prepare) {
  const auto job = [&](std::size_t i) {
    const Verdict verdict = run_case(target, options.cases / names[i], tolerances, prepare);
    return static_cast<char>('0' + static_cast<int>(verdict.outcome)) + verdict.reason;
  };
  const auto results = run_isolated(names.size(), options.processes, kCaseTimeout, job);
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const JobResult& result = results[i];
    Verdict verdict;
    if (result.state == JobResult::State::kDone) {
      verdict = {static_cast<Outcome>(result.answer[0] - '0'), result.answer.substr(1)};
    } else {
      verdict.reason =
          result.state == JobResult::State::kTimedOut ? "timed out" : "crashed: " + result.answer;
    }
    entries.push_back({names[i], std::move(verdict)});
  }
  return entries;
}

const char* word(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kWrong:
      return "wrong";
  }
  return "?";
}

void write_json(const fs::path& path, const Target& target, const std::vector<Entry>& entries) {
  nlohmann::json report{{"target", target.name()}, {"cases", nlohmann::json::array()}};
  for (const Entry& entry : entries) {
    report["cases"].push_back(
        {{"name", entry.name}, {"outcome", word(entry.verdict.outcome)}, {"reason", entry.verdict.reason}});
  }
  std::ofstream(path) << report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

void print_table(const std::vector<Entry>& entries) {
  std::map<std::string, std::map<Outcome, int>> counts;
  for (const Entry& entry : entries) {
    ++counts[entry.name.substr(0, entry.name.find('/'))][entry.verdict.outcome];
    ++counts["~ all"][entry.verdict.outcome];
  }
  std::printf("%-20s %8s %8s %8s\n", "kind", "passed", "refused", "wrong");
  for (auto& [kind, row] : counts) {
    std::printf("%-20s %8d %8d %8d\n", kind.c_str(), row[Outcome::kPassed], row[Outcome::kRefused],
                row[Outcome::kWrong]);
  }
}

/// Prints what is not as it must be; true when nothing.
bool judge(const Options& options, const std::vector<Entry>& entries) {
  const auto exempt = read_list(kFolder / ("exemptions_" + options.target + ".txt"));
  const auto baseline = read_list(kFolder / ("baseline_" + options.target + ".txt"));
  bool well = true;
  std::size_t expected = 0;
  std::size_t reached = 0;
  for (const Entry& entry : entries) {
    const bool is_exempt = exempt.count(entry.name) != 0;
    if (entry.verdict.outcome == Outcome::kWrong && !is_exempt) {
      std::printf("wrong    %s: %s\n", entry.name.c_str(), entry.verdict.reason.c_str());
      well = false;
    }
    // Random numbers may agree by chance.
    const auto may = [&](const char* cause) { return exempt.at(entry.name).starts_with(cause); };
    const bool may_pass = is_exempt && (may("random") || may("some processors"));
    if (entry.verdict.outcome == Outcome::kPassed && is_exempt && !may_pass) {
      std::printf("stale    %s passes: remove it from the exemptions\n", entry.name.c_str());
      well = false;
    }
    if (baseline.count(entry.name) == 0) continue;
    ++expected;
    if (entry.verdict.outcome == Outcome::kPassed) {
      ++reached;
    } else {
      std::printf("behind   %s: %s\n", entry.name.c_str(), entry.verdict.reason.c_str());
    }
  }
  const double share = expected == 0 ? 1.0 : static_cast<double>(reached) / static_cast<double>(expected);
  std::printf(
      "%zu of the %zu cases that the engine's own Python API gets right (%.1f %%, required %.0f %%)\n",
      reached, expected, 100 * share, 100 * kRequiredShare);
  return well && share >= kRequiredShare;
}

/// The same for converted cases; entries are those that the engine gets right as they are.
bool judge_conversion(const Options& options, const std::vector<Entry>& entries) {
  const auto exempt = read_list(kFolder / "exemptions_opset.txt");
  bool well = true;
  std::size_t counted = 0;
  std::size_t passed = 0;
  for (const Entry& entry : entries) {
    const std::string& reason = entry.verdict.reason;
    if (reason.find(kTooOld) != std::string::npos) continue;
    ++counted;
    const bool is_exempt = exempt.count(entry.name + "@" + std::to_string(options.opset)) != 0;
    if (entry.verdict.outcome == Outcome::kPassed) {
      ++passed;
      if (!is_exempt) continue;
      std::printf("stale    %s passes: remove it from the exemptions\n", entry.name.c_str());
      well = false;
    } else if (entry.verdict.outcome == Outcome::kWrong && !is_exempt) {
      std::printf("wrong    %s: %s\n", entry.name.c_str(), reason.c_str());
      well = false;
    } else {
      std::printf("refused  %s: %s\n", entry.name.c_str(), reason.c_str());
    }
  }
  const double percent =
      counted == 0 ? 100 : 100 * static_cast<double>(passed) / static_cast<double>(counted);
  std::printf("%zu of %zu cases pass in opset %lld (%.1f %%, required %.1f %%)\n", passed, counted,
              static_cast<long long>(options.opset), percent, options.required_percent);
  return well && percent >= options.required_percent;
}

/// The same for optimised cases, all of which passed as they are.
bool judge_optimized(const Options& options, const std::vector<Entry>& entries) {
  const auto random = read_list(kFolder / ("exemptions_" + options.target + ".txt"));
  const auto exempt = read_list(kFolder / "exemptions_optimized.txt");
  bool well = true;
  for (const Entry& entry : entries) {
    const bool passed = entry.verdict.outcome == Outcome::kPassed;
    const bool is_exempt = exempt.count(entry.name + "@" + options.target) != 0;
    if (random.count(entry.name) != 0 || passed != is_exempt) continue;
    std::printf("%s   %s: %s\n", passed ? "stale " : "broken", entry.name.c_str(),
                passed ? "it passes, remove it from the exemptions" : entry.verdict.reason.c_str());
    well = false;
  }
  return well;
}

int run(const Options& options) {
  if (options.cases.empty() || !fs::is_directory(options.cases)) {
    std::printf("skipped: %s\n", test::kNoCases);
    return kSkipped;
  }
  const auto target = find_target(options.target);
  if (!target) {
    std::printf("%s\n", target.error().str().c_str());
    return 1;
  }
  const auto tolerances = read_tolerances(kFolder / "tolerances.json");
  if (!tolerances) {
    std::printf("%s\n", tolerances.error().str().c_str());
    return 1;
  }
  auto names = list_cases(options);
  if (options.opset != 0) {
    const auto baseline = read_list(kFolder / ("baseline_" + options.target + ".txt"));
    std::erase_if(names, [&](const std::string& name) { return baseline.count(name) == 0; });
  }
  std::function<Status(Model&)> prepare;
  if (options.opset != 0) prepare = [&](Model& model) { return convert(model, options.opset); };
  auto entries = run_all(**target, options, names, *tolerances, prepare);
  if (options.optimize) {
    names.clear();
    for (const Entry& entry : entries) {
      if (entry.verdict.outcome == Outcome::kPassed) names.push_back(entry.name);
    }
    entries = run_all(**target, options, names, *tolerances,
                      [&](Model& model) { return optimize_for(**target, model); });
  }
  if (!options.json.empty()) write_json(options.json, **target, entries);
  const bool well = options.optimize     ? judge_optimized(options, entries)
                    : options.opset != 0 ? judge_conversion(options, entries)
                                         : judge(options, entries);
  print_table(entries);
  return well ? 0 : 1;
}

}  // namespace
}  // namespace tarmac::conformance

int main(int argc, char** argv) {
  tarmac::conformance::Options options;
  if (!tarmac::conformance::parse_options(argc, argv, options)) {
    std::printf(
        "usage: conformance_runner TARGET [--json FILE] [--filter TEXT] [--cases FOLDER] [--processes N] "
        "[--opset N "
        "--required PERCENT | --optimize]\n");
    return 2;
  }
  return tarmac::conformance::run(options);
}
