#include "cli/compile_output.h"

#include <algorithm>

namespace tarmac::cli {
namespace {

/// Chosen first, then by what counted, those without figures last.
std::vector<const Json*> ranked(const Json& tried) {
  const bool latency = tried.value("objective", "latency") == "latency";
  const auto cost = [&](const Json& row) {
    if (row.value("chosen", false)) return -1.0;
    if (!row.contains("p50_ns")) return 1e300;
    return latency ? row.value("p50_ns", 0.0) : 1e9 / std::max(1e-9, row.value("samples_per_s", 0.0));
  };
  std::vector<const Json*> rows;
  for (const Json& row : tried.at("candidates")) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Json* a, const Json* b) { return cost(*a) < cost(*b); });
  return rows;
}

}  // namespace

void print_tried(const Json& tried, Output& output) {
  if (!tried.is_object() || !tried.contains("candidates")) return;
  Table table({{"target"},
               {"precision"},
               {"batch", Table::Align::kRight},
               {"cores", Table::Align::kRight},
               {"streams", Table::Align::kRight},
               {"compile", Table::Align::kRight},
               {"p50", Table::Align::kRight},
               {"p99", Table::Align::kRight},
               {"samples/s", Table::Align::kRight},
               {"workspace", Table::Align::kRight},
               {""}});
  for (const Json* row : ranked(tried)) {
    const bool timed = row->contains("p50_ns");
    const auto time = [&](const char* key) {
      return row->contains(key) ? format_time(row->value(key, 0.0)) : std::string("-");
    };
    const int cores = row->value("cores", 0);
    table.add({row->value("target", ""), row->value("precision", ""),
               timed ? std::to_string(row->value("batch_samples", 1)) : "-",
               cores == 0 ? "all" : std::to_string(cores), std::to_string(row->value("streams", 1)),
               time("compile_ns"), time("p50_ns"), time("p99_ns"),
               timed ? fmt::format("{:.1f}", row->value("samples_per_s", 0.0)) : "-",
               row->contains("workspace_bytes")
                   ? format_bytes(row->value("workspace_bytes", std::uint64_t{0}))
                   : "-",
               row->value("chosen", false) ? "chosen" : row->value("reason", "")});
  }
  table.print(output);
}

void print_plan(const PlanInfo& info, Output& output) {
  const Json tried = Json::parse(info.tried_json, nullptr, false);
  print_tried(tried, output);
  Json& json = output.json();
  if (tried.is_object()) {
    json["tried"] = tried;
    json["candidates"] = tried.value("candidates", Json::array());
  }
  if (const Json gate = Json::parse(info.acceptance_json, nullptr, false);
      gate.is_object() && gate.contains("drop")) {
    json["accuracy"] = gate;
    output.line("INT8 against float: {} {:.4g}, {:.4g} in float, on {} samples ({})",
                gate.value("metric", ""), gate.value("int8", 0.0), gate.value("float", 0.0),
                gate.value("samples", 0), gate.value("data", ""));
  }
  json["target"] = info.target;
  json["precision"] = info.precision;
  json["cores"] = info.cores;
  json["streams"] = info.streams;
  json["workspace_bytes"] = info.workspace_bytes;
  json["has_engine"] = info.has_engine;
  json["plan_bytes"] = info.file_bytes;
}

}  // namespace tarmac::cli
