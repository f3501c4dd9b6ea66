#include "cli/bench/machine_state.h"

#include <fstream>

#include "targets/common/cores.h"

namespace tarmac::cli {
namespace {

template <typename T>
std::optional<T> read_value(const char* file) {
  std::ifstream stream(file);
  T value;
  if (stream >> value) return value;
  return std::nullopt;
}

std::string cpu_name() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

std::optional<bool> turbo() {
  if (const auto off = read_value<int>("/sys/devices/system/cpu/intel_pstate/no_turbo")) return *off == 0;
  if (const auto on = read_value<int>("/sys/devices/system/cpu/cpufreq/boost")) return *on != 0;
  return std::nullopt;
}

void read_ticks(MachineState& state) {
  // The first line of /proc/stat: cpu user nice system idle iowait irq softirq steal …
  constexpr int kColumns = 8;
  std::ifstream stat("/proc/stat");
  std::string word;
  stat >> word;
  for (int i = 0; i < kColumns && stat; ++i) {
    std::uint64_t ticks = 0;
    stat >> ticks;
    state.all_ticks += ticks;
    if (i + 1 == kColumns) state.stolen_ticks = ticks;
  }
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

MachineState machine_state() {
  MachineState state;
  state.cpu = cpu_name();
  state.cores = available_cores();
  state.load = read_value<double>("/proc/loadavg");
  state.governor = read_value<std::string>("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  state.turbo = turbo();
  read_ticks(state);
  return state;
}

double stolen_share(const MachineState& before, const MachineState& after) {
  const std::uint64_t all = after.all_ticks - before.all_ticks;
  if (all == 0) return 0;
  return static_cast<double>(after.stolen_ticks - before.stolen_ticks) / static_cast<double>(all);
}

std::vector<std::string> noise_warnings(const MachineState& before, const MachineState& after) {
  constexpr double kMuchStolen = 0.02;
  std::vector<std::string> warnings;
  if (before.load && *before.load > before.cores) {
    warnings.push_back(
        fmt::format("the machine was busy before this began: a load of {:.1f} on {} cores; times are longer "
                    "and vary more",
                    *before.load, before.cores));
  }
  if (before.governor && *before.governor != "performance") {
    warnings.push_back(fmt::format(
        "the clock follows the load (governor {}); 'cpupower frequency-set -g performance' keeps it up",
        *before.governor));
  }
  if (const double stolen = stolen_share(before, after); stolen > kMuchStolen) {
    warnings.push_back(
        fmt::format("the host gave {:.0f} % of the cores' time to other machines meanwhile", 100 * stolen));
  }
  return warnings;
}

Json to_json(const MachineState& before, const MachineState& after) {
  return {{"cpu", before.cpu},
          {"cores", before.cores},
          {"load_before", or_null(before.load)},
          {"governor", or_null(before.governor)},
          {"turbo", or_null(before.turbo)},
          {"stolen_share", stolen_share(before, after)},
          {"warnings", noise_warnings(before, after)}};
}

}  // namespace tarmac::cli
