// What `tarmac bench` was asked for.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/args/signature_args.h"
#include "cli/args/target_args.h"
#include "runtime/measure.h"
#include "tarmac/tracer.h"

namespace tarmac::cli {

enum class BenchMode : std::uint8_t {
  kLatency,     ///< one inference at a time
  kThroughput,  ///< streams × batches
  kRate,        ///< frames due at fixed times
  kTogether,    ///< several models at once
};
const char* to_string(BenchMode mode);

struct BenchArgs {
  std::vector<std::string> models;
  TargetArgs target;
  std::vector<std::string> inputs;
  std::string contract;
  std::vector<std::string> shapes;
  std::vector<std::int64_t> batches;
  std::vector<int> streams;
  std::vector<std::string> rate_words;
  double deadline_ms = 0;
  std::optional<double> warmup_s;
  std::int64_t iterations = 0;
  double duration_s = 2;
  bool profile = false;
  std::string trace;
  SignatureArgs signature;

  BenchMode mode = BenchMode::kLatency;
  std::vector<double> rates_hz;    ///< from rate_words; 0: "max"
  std::shared_ptr<Tracer> tracer;  ///< where runs are recorded; null without --trace

  void add(CLI::App& command);
  /// Fills in what follows from the options. Errors: kUsage for options that do not go together; those of the
  /// trace's file.
  Status settle();

  [[nodiscard]] std::int64_t batch() const { return batches.empty() ? 0 : batches.front(); }
  [[nodiscard]] int stream_count() const { return streams.empty() ? 1 : streams.front(); }
  /// How to measure after the warm-up: as asked, for an equal time at each of several.
  [[nodiscard]] MeasureOptions measured() const;
  /// The warm-up alone.
  [[nodiscard]] MeasureOptions warm_up() const;
  /// Targets to measure on; one empty name when none was given.
  [[nodiscard]] std::vector<std::string> targets() const;
};

}  // namespace tarmac::cli
