#include <thread>

#include "runtime/commands.h"

namespace tarmac::bench {
namespace {

struct Side {
  std::string name;
  std::unique_ptr<Engine> engine;
  Tensors inputs;
  std::vector<std::unique_ptr<Request>> requests;
  double samples = 1;  ///< of one run

  /// Samples per second, all requests at once. A run that the end finds under way counts, with its time.
  [[nodiscard]] double measure(double seconds) const {
    std::atomic<std::int64_t> runs{0};
    std::exception_ptr failure;
    std::vector<std::thread> threads;
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (const auto& request : requests) {
      threads.emplace_back([&, one = request.get()] {
        try {
          one->run_until(end, runs);
        } catch (...) {
          failure = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
    return static_cast<double>(runs) * samples / std::chrono::duration<double>(Clock::now() - begin).count();
  }
};

Side make_side(const std::string& name, const Json& json, int unit) {
  Side side;
  const Setup setup = setup_of(json);
  side.name = name;
  side.engine = load(setup);
  const std::vector<TensorSpec> specs = side.engine->inputs();
  side.inputs = made_up_inputs(specs, setup.batch);
  side.samples = static_cast<double>(side.inputs.at(specs.front().name).shape().front()) / unit;
  const int count = json.value("requests", side.engine->requests());
  for (int i = 0; i < count; ++i) side.requests.push_back(side.engine->request(side.inputs));
  return side;
}

}  // namespace

Json measure_throughput(const Json& spec) {
  const auto rounds = spec.at("rounds").get<int>();
  const auto seconds = spec.at("seconds").get<double>();
  const int unit = spec.value("unit", 1);
  Json found = Json::object();
  const auto add = [&](const Side& side, int times) {
    (void)side.measure(seconds / 4);
    for (int i = 0; i < times; ++i) found[side.name]["samples_per_s"].push_back(side.measure(seconds));
    found[side.name]["requests"] = side.requests.size();
    found[side.name]["batch"] = side.samples;
  };
  if (spec.value("one_by_one", false)) {
    for (const auto& [name, json] : spec.at("sides").items()) {
      try {
        add(make_side(name, json, unit), rounds);
      } catch (const std::exception& error) {  // an engine may not take a model or a batch
        found[name] = {{"error", error.what()}};
      }
    }
    return found;
  }
  std::vector<Side> sides;
  for (const auto& [name, json] : spec.at("sides").items()) sides.push_back(make_side(name, json, unit));
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < sides.size(); ++i)
      add(sides[(i + static_cast<std::size_t>(round)) % sides.size()], 1);
  }
  return found;
}

}  // namespace tarmac::bench
