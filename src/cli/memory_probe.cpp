#include "cli/memory_probe.h"

#include <nlohmann/json.hpp>
#include <string>

#include "base/child_process.h"

namespace tarmac::cli {
namespace {

constexpr std::uint64_t kMostAnswerBytes = std::uint64_t{16} << 20U;

}  // namespace

Result<std::uint64_t> measure_plan_memory(const std::filesystem::path& plan, const Progress& progress) {
  std::string answer;
  ChildJob job;
  job.program = kThisProgram;
  job.arguments = {"bench", plan.string(), "--json", "--duration", "0.5", "--warmup", "0", "--quiet"};
  job.lines_from = 1;
  job.on_line = [&](std::string_view line) { answer.append(line).append("\n"); };
  job.output_limit_bytes = kMostAnswerBytes;
  TARMAC_TRY(const ChildEnd end, run_child(job, progress));
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  const auto failed = [&](const std::string& what) {
    return make_error(ErrorCode::kInternal, "cannot measure the plan's memory: " + what, {}, plan.string());
  };
  if (end.exit_status != 0 || !json.is_object())
    return failed("tarmac bench " + end.str() + ": " + end.last_words + " " + answer.substr(0, 400));
  const auto bytes =
      json.value(nlohmann::json::json_pointer("/memory/peak_resident_bytes"), std::uint64_t{0});
  if (bytes == 0) return failed("tarmac bench named no peak");
  return bytes;
}

}  // namespace tarmac::cli
