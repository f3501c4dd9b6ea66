#include <thread>

#include "base/sha256.h"
#include "runtime/commands.h"
#include "runtime/memory.h"

namespace tarmac::bench {
namespace {

std::int64_t since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
}

}  // namespace

Json measure_load(const Json& spec) {
  const Setup setup = setup_of(spec.at("setup"));
  Json loads = Json::array();
  Json first_results = Json::array();
  for (int i = 0; i < spec.at("times").get<int>(); ++i) {
    const auto begin = Clock::now();
    const auto engine = load(setup);
    loads.push_back(since(begin));
    const auto request = engine->request(made_up_inputs(engine->inputs(), setup.batch));
    first_results.push_back(since(begin));
  }
  return {{"load_ns", loads}, {"first_result_ns", first_results}};
}

Json measure_digest(const Json& spec) {
  Json times = Json::array();
  for (int i = 0; i < spec.at("times").get<int>(); ++i) {
    const auto begin = Clock::now();
    (void)value_of(sha256_file(spec.at("file").get<std::string>()));
    times.push_back(since(begin));
  }
  return {{"digest_ns", times}};
}

Json measure_memory(const Json& spec) {
  const Setup setup = setup_of(spec.at("setup"));
  const auto engine = load(setup);
  const Tensors inputs = made_up_inputs(engine->inputs(), setup.batch);
  const auto loaded = value_of(memory_use());
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < spec.at("requests").get<int>(); ++i) requests.push_back(engine->request(inputs));
  const auto runs = spec.at("runs").get<int>();
  std::vector<std::thread> threads;
  for (const auto& request : requests) {
    threads.emplace_back([&, one = request.get()] {
      for (int i = 0; i < runs; ++i) one->run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto use = value_of(memory_use());
  return {{"loaded_bytes", loaded.resident_bytes},
          {"resident_bytes", use.resident_bytes},
          {"peak_bytes", use.peak_resident_bytes}};
}

}  // namespace tarmac::bench
