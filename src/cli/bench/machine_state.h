// What on this machine makes times differ from run to run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"

namespace tarmac::cli {

struct MachineState {
  std::string cpu;
  int cores = 0;                        ///< that this process may use
  std::optional<double> load;           ///< runnable threads, mean of the last minute
  std::optional<std::string> governor;  ///< of the first core's frequency; absent in most virtual machines
  std::optional<bool> turbo;            ///< clock above the nominal one while it is cool
  std::uint64_t all_ticks = 0;          ///< time of all cores since the start of the machine
  std::uint64_t stolen_ticks = 0;       ///< the part that a hypervisor gave to others
};

/// From /proc and /sys; what is not there stays absent.
MachineState machine_state();

/// Share of the cores' time between two states that others on the same host had; 0 on bare metal.
double stolen_share(const MachineState& before, const MachineState& after);

/// Sentences for what will be seen in the times, one for each cause; none for a quiet machine.
std::vector<std::string> noise_warnings(const MachineState& before, const MachineState& after);

Json to_json(const MachineState& before, const MachineState& after);

}  // namespace tarmac::cli
