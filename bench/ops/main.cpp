// ops_bench [FILTER…] [--rounds N] [--seconds S] [--json FILE] [--list]
// Without a filter, all cases; a filter takes those with the text in their name.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ops/limits.h"
#include "ops/measure.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

using Json = nlohmann::ordered_json;

std::vector<CaseMaker> all_cases() {
  const std::vector<std::vector<CaseMaker>> operators = {
      bev_pool_cases(),       bevformer_encoder_cases(),
      box_decode_3d_cases(),  camera_preprocess_cases(),
      circle_nms_cases(),     deform_conv2d_cases(),
      grid_sample_cases(),    multi_scale_deformable_attention_cases(),
      pillar_scatter_cases(), rotated_nms_cases(),
      voxelize_cases(),
  };
  std::vector<CaseMaker> all;
  for (const auto& cases : operators) all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", std::gmtime(&now));
  return text.data();
}

std::string machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

struct Arguments {
  std::vector<std::string> filters;
  MeasureOptions options;
  std::string json;
  bool list = false;
};

Arguments parse(int count, char** words) {
  Arguments arguments;
  const auto value = [&](int& i) -> std::string {
    if (i + 1 >= count) throw std::runtime_error(std::string(words[i]) + " wants a value");
    return words[++i];
  };
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--rounds") {
      arguments.options.rounds = std::stoi(value(i));
    } else if (word == "--seconds") {
      arguments.options.seconds_per_turn = std::stod(value(i));
    } else if (word == "--json") {
      arguments.json = value(i);
    } else if (word == "--list") {
      arguments.list = true;
    } else if (word.starts_with("-")) {
      throw std::runtime_error("no option " + word +
                               "; ops_bench [FILTER…] [--rounds N] [--seconds S] [--json FILE] [--list]");
    } else {
      arguments.filters.push_back(word);
    }
  }
  return arguments;
}

bool chosen(const std::string& name, const std::vector<std::string>& filters) {
  return filters.empty() || std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) {
           return name.find(filter) != std::string::npos;
         });
}

Json run(const Case& work, const MeasureOptions& options, const Limits& limits) {
  const auto summaries = measure(work, options);
  fmt::print("\n{}\n  {}\n", work.name, work.what);
  Json sides = Json::array();
  double best_peer_ns = 0;
  std::string best_peer;
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const auto& summary = summaries[i];
    const auto median = static_cast<double>(summary.p50_ns);
    const double ratio = median / static_cast<double>(summaries.front().p50_ns);
    fmt::print("  {:<28} median {:>10.3f} ms   p99 {:>10.3f} ms   {:>6} runs   {:>7.2f} × ours\n",
               work.sides[i].name, median / 1e6, static_cast<double>(summary.p99_ns) / 1e6, summary.samples,
               ratio);
    sides.push_back({{"name", work.sides[i].name},
                     {"median_ns", summary.p50_ns},
                     {"p99_ns", summary.p99_ns},
                     {"runs", summary.samples},
                     {"ratio_to_ours", ratio}});
    const bool is_ours = work.sides[i].name.starts_with("tarmac");
    if (!is_ours && (best_peer.empty() || median < best_peer_ns)) {
      best_peer_ns = median;
      best_peer = work.sides[i].name;
    }
  }
  const auto ours = static_cast<double>(summaries.front().p50_ns) / 1e9;
  const Bound bound = bound_of(work.work, limits);
  const double distance = bound.seconds > 0 ? ours / bound.seconds : 0;
  if (bound.seconds > 0) {
    fmt::print("  bound by {}: {:.3f} ms at least, ours takes {:.1f} times that\n", bound.by,
               bound.seconds * 1e3, distance);
  }
  const double ratio = best_peer.empty() ? 0 : best_peer_ns / 1e9 / ours;
  if (work.required_ratio > 0) {
    fmt::print("  {} times the best peer ({}); wanted {}: {}\n", fmt::format("{:.2f}", ratio), best_peer,
               work.required_ratio, ratio >= work.required_ratio ? "reached" : "NOT REACHED");
  }
  return {{"case", work.name},
          {"what", work.what},
          {"best_peer", best_peer},
          {"ratio", ratio},
          {"required_ratio", work.required_ratio},
          {"bound_by", bound.by},
          {"bound_ns", bound.seconds * 1e9},
          {"times_the_bound", distance},
          {"sides", sides}};
}

int benchmark(const Arguments& arguments) {
  const auto cases = all_cases();
  if (arguments.list) {
    for (const CaseMaker& maker : cases) fmt::print("{}\n", maker.name);
    return 0;
  }
  const Limits limits = measure_limits();
  fmt::print("{} threads; limits measured: {:.1f} GB/s, {:.0f} GFLOP/s, {:.0f} million cache lines/s\n",
             kThreads, limits.bytes_per_s / 1e9, limits.flops_per_s / 1e9, limits.gathers_per_s / 1e6);
  Json json = {{"date", today()},
               {"machine", machine()},
               {"threads", kThreads},
               {"limits",
                {{"bytes_per_s", limits.bytes_per_s},
                 {"flops_per_s", limits.flops_per_s},
                 {"gathers_per_s", limits.gathers_per_s}}},
               {"cases", Json::array()}};
  for (const CaseMaker& maker : cases) {
    if (!chosen(maker.name, arguments.filters)) continue;
    json["cases"].push_back(run(maker.make(), arguments.options, limits));
    std::fflush(stdout);
    // After each case, so that an interrupted run keeps what it has.
    if (!arguments.json.empty()) std::ofstream(arguments.json) << json.dump(1) << "\n";
  }
  if (json["cases"].empty()) throw std::runtime_error("no case has that name; --list shows them");
  return 0;
}

}  // namespace
}  // namespace tarmac::bench

int main(int count, char** words) {
  try {
    return tarmac::bench::benchmark(tarmac::bench::parse(count, words));
  } catch (const std::exception& error) {
    std::cerr << "ops_bench: " << error.what() << "\n";
    return 1;
  }
}
