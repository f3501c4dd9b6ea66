#include "cli/bench/bench_args.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/args/output_args.h"

namespace tarmac::cli {
namespace {

/// A warm-up that does not settle ends after this time.
constexpr double kLongestWarmUp_s = 2;
constexpr double kHighestRateHz = 10'000;

Result<double> parse_rate(const std::string& word) {
  if (word == "max") return 0.0;
  double rate = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), rate);
  if (problem != std::errc() || end != word.data() + word.size() || !(rate > 0 && rate <= kHighestRateHz)) {
    return make_error(ErrorCode::kUsage,
                      fmt::format("--rate: expected frames a second above 0 and up to {}, or max; found '{}'",
                                  kHighestRateHz, word));
  }
  return rate;
}

Status refuse(bool given, const char* option, const char* why) {
  if (!given) return {};
  return make_error(ErrorCode::kUsage, fmt::format("{} {}", option, why));
}

}  // namespace

const char* to_string(BenchMode mode) {
  switch (mode) {
    case BenchMode::kLatency:
      return "latency";
    case BenchMode::kThroughput:
      return "throughput";
    case BenchMode::kRate:
      return "rate";
    case BenchMode::kTogether:
      return "together";
  }
  return "latency";
}

void BenchArgs::add(CLI::App& command) {
  command.add_option("model", models, "ONNX file or plan; several of them run at once")
      ->type_name("MODEL|PLAN")
      ->required();
  const auto group = [](CLI::Option* option, const char* name) { return option->group(name); };
  group(command.add_option("--duration", duration_s, "Seconds that are measured, each time (default: 2)")
            ->type_name("SECONDS")
            ->check(CLI::Range(0.01, 86400.0)),
        "Measurement");
  group(command.add_option("--iterations", iterations, "Measure this many runs instead")
            ->type_name("N")
            ->check(CLI::Range(1, 1 << 30)),
        "Measurement");
  group(command
            .add_option("--warmup", warmup_s,
                        fmt::format("Seconds before that (default: until times settle, {} at most)",
                                    kLongestWarmUp_s))
            ->type_name("SECONDS")
            ->check(CLI::Range(0.0, 3600.0)),
        "Measurement");
  group(
      command
          .add_option("--streams", streams, "Inferences at a time; several numbers are compared (default: 1)")
          ->type_name("N[,N]")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CLI::Range(1, 1024)),
      "Measurement");
  group(command
            .add_option("--batch", batches,
                        "Batch size, for inputs whose first size is open; several numbers are compared")
            ->type_name("N[,N]")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->check(CLI::Range(1, 1 << 20)),
        "Measurement");
  group(command
            .add_option("--rate", rate_words,
                        "Frames come at this rate in Hz, done or not; late ones are counted. Several rates "
                        "are tried in turn; with several models, a rate or 'max' for each")
            ->type_name("HZ[,HZ]")
            ->delimiter(',')
            ->allow_extra_args(false),
        "Measurement");
  group(command
            .add_option("--deadline", deadline_ms,
                        "With --rate: from when a frame is due to its result (default: one period)")
            ->type_name("MS")
            ->check(CLI::Range(0.001, 3'600'000.0)),
        "Measurement");
  group(command.add_flag("--profile", profile, "Also list the slowest nodes"), "Measurement");
  group(command
            .add_option("--input", inputs,
                        "A picture, .npy, .npz or .pb for an input, or a folder of pictures; repeat it for "
                        "every input (default: made-up values)")
            ->type_name("NAME=FILE|DIR")
            ->allow_extra_args(false),
        "Data");
  group(command
            .add_option("--contract", contract,
                        "deploy.yaml: how pictures become inputs, and which to take without --input")
            ->type_name("FILE"),
        "Data");
  group(command.add_option("--shape", shapes, "Shape of an input; repeat it for further inputs")
            ->type_name("NAME:SHAPE")
            ->allow_extra_args(false),
        "Data");
  group(command
            .add_option("--trace", trace,
                        "Write the last runs as a Chrome trace, for Perfetto and chrome://tracing")
            ->type_name("FILE"),
        "Measurement");
  target.add_several(command);
  signature.add(command)->group("Target");
}

Status BenchArgs::settle() {
  for (const std::string& word : rate_words) {
    TARMAC_TRY(rates_hz.emplace_back(), parse_rate(word));
  }
  if (models.size() > 1) {
    mode = BenchMode::kTogether;
    const char* const why = "is for one model; leave it out where several run at once";
    TARMAC_CHECK_OK(refuse(!inputs.empty(), "--input", why));
    TARMAC_CHECK_OK(refuse(!contract.empty(), "--contract", why));
    TARMAC_CHECK_OK(refuse(!shapes.empty(), "--shape", why));
    TARMAC_CHECK_OK(refuse(profile, "--profile", why));
    TARMAC_CHECK_OK(refuse(iterations > 0, "--iterations", "is for one model; several run for --duration"));
    TARMAC_CHECK_OK(
        refuse(target.names.size() > 1, "--target", "takes one name where several models run at once"));
    TARMAC_CHECK_OK(
        refuse(streams.size() > 1, "--streams", "takes one number where several models run at once"));
    TARMAC_CHECK_OK(
        refuse(batches.size() > 1, "--batch", "takes one number where several models run at once"));
    if (rates_hz.size() == 1) rates_hz.resize(models.size(), rates_hz.front());
    if (rates_hz.empty()) rates_hz.resize(models.size(), 0);
    if (rates_hz.size() != models.size()) {
      return make_error(ErrorCode::kUsage,
                        fmt::format("--rate: found {} rates for {} models; give one for all, or one for each",
                                    rates_hz.size(), models.size()));
    }
  } else if (!rates_hz.empty()) {
    mode = BenchMode::kRate;
    for (const double rate : rates_hz) {
      TARMAC_CHECK_OK(
          refuse(rate == 0, "--rate max", "is for several models; leave --rate out to run without pause"));
    }
    TARMAC_CHECK_OK(refuse(streams.size() > 1, "--streams", "takes one number with --rate"));
    TARMAC_CHECK_OK(refuse(batches.size() > 1, "--batch", "takes one number with --rate"));
  } else if (streams.size() > 1 || batches.size() > 1 || stream_count() > 1) {
    mode = BenchMode::kThroughput;
  }
  const bool any_rate = std::any_of(rates_hz.begin(), rates_hz.end(), [](double rate) { return rate > 0; });
  TARMAC_CHECK_OK(refuse(deadline_ms > 0 && !any_rate, "--deadline", "needs --rate"));
  if (!trace.empty()) {
    TARMAC_CHECK_OK(check_output_file(trace));
    TARMAC_TRY(tracer, Tracer::create());
  }
  return {};
}

MeasureOptions BenchArgs::measured() const {
  return {.warmup_iterations = 1, .warmup_s = 0, .iterations = iterations, .duration_s = duration_s};
}

MeasureOptions BenchArgs::warm_up() const {
  if (warmup_s) return {.warmup_iterations = 1, .warmup_s = *warmup_s};
  return {.settle_s = kLongestWarmUp_s};
}

std::vector<std::string> BenchArgs::targets() const {
  return target.names.empty() ? std::vector<std::string>(1) : target.names;
}

}  // namespace tarmac::cli
