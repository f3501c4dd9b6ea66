// runtime_bench COMMAND SPEC: one measurement; SPEC and what is printed are JSON, see commands.h.
#include <iostream>
#include <map>

#include "runtime/commands.h"

namespace tarmac::bench {

Setup setup_of(const Json& json) {
  Setup setup;
  setup.engine = json.value("engine", setup.engine);
  setup.model = json.at("model").get<std::string>();
  setup.target = json.value("target", setup.target);
  setup.threads = json.value("threads", setup.threads);
  setup.streams = json.value("streams", setup.streams);
  setup.hint = json.value("hint", setup.hint);
  setup.spinning = json.value("spinning", setup.spinning);
  setup.as_target = json.value("as_target", setup.as_target);
  setup.batch = json.value("batch", setup.batch);
  return setup;
}

namespace {

int execute(int count, char** words) {
  const std::map<std::string, Json (*)(const Json&)> commands = {
      {"overhead", measure_overhead}, {"throughput", measure_throughput},
      {"load", measure_load},         {"digest", measure_digest},
      {"memory", measure_memory},     {"allocations", measure_allocations},
      {"cameras", measure_cameras},
  };
  const auto command = count == 3 ? commands.find(words[1]) : commands.end();
  if (command == commands.end()) {
    std::cerr << "usage: runtime_bench COMMAND SPEC; commands:";
    for (const auto& [name, function] : commands) std::cerr << " " << name;
    std::cerr << "\n";
    return 2;
  }
  std::cout << command->second(Json::parse(words[2])).dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace tarmac::bench

int main(int count, char** words) {
  try {
    return tarmac::bench::execute(count, words);
  } catch (const std::exception& error) {
    std::cerr << "runtime_bench: " << error.what() << "\n";
    return 1;
  }
}
