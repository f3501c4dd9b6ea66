#include "deploy/facts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <thread>

#include "base/sha256.h"
#include "tarmac/version.h"

namespace tarmac {
namespace {

/// The value of "key : value" or KEY="value" in a system file; empty when it is not there.
std::string find_line(const char* file, const std::string& key, char separator) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const auto position = line.find(separator);
    if (position == std::string::npos) continue;
    std::string value = line.substr(position + 1);
    std::erase(value, '"');
    value.erase(0, value.find_first_not_of(" \t"));
    return value;
  }
  return {};
}

report::MachineFacts describe_machine() {
  report::MachineFacts facts;
  facts.cpu = processor_name();
  facts.logical_cores = static_cast<int>(std::thread::hardware_concurrency());
  facts.memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  facts.operating_system = find_line("/etc/os-release", "PRETTY_NAME", '=');
  struct utsname system {};
  if (::uname(&system) == 0) facts.operating_system += fmt::format(" (kernel {})", system.release);
  return facts;
}

}  // namespace

std::string processor_name() { return find_line("/proc/cpuinfo", "model name", ':'); }

Status describe_deployment(const Contract& contract, const std::vector<Target*>& targets,
                           report::DeployReport& report) {
  report.model_name = contract.name;
  TARMAC_TRY(const auto digest, sha256_file(contract.model));
  report.model_sha256 = to_hex(digest);
  report.contract = contract.file.string();
  report.created_utc = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  report.machine = describe_machine();
  report.versions.push_back({"tarmac", version()});
  for (const Target* target : targets) report.versions.push_back({target->name(), target->version()});
  return {};
}

}  // namespace tarmac
