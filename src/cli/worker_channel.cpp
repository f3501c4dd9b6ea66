#include "cli/worker_channel.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/interrupt.h"
#include "cli/progress_bar.h"

namespace tarmac::cli {
namespace {

// Each line wakes the parent, which must not disturb what is measured.
constexpr std::chrono::milliseconds kStepInterval{200};

constexpr std::array kCodes = {
    ErrorCode::kUsage,     ErrorCode::kUnsupported, ErrorCode::kInvalidModel, ErrorCode::kInvalidInput,
    ErrorCode::kNotFound,  ErrorCode::kIo,          ErrorCode::kOutOfRange,   ErrorCode::kResourceExhausted,
    ErrorCode::kMismatch,  ErrorCode::kUnavailable, ErrorCode::kAcceptance,   ErrorCode::kDeadline,
    ErrorCode::kCancelled, ErrorCode::kInternal};

Error to_error(const Json& json) {
  const std::string word = json.value("code", "");
  Error error = make_error(ErrorCode::kInternal, json.value("message", ""), json.value("node", ""),
                           json.value("context", ""));
  for (const ErrorCode code : kCodes) {
    if (word == to_string(code)) error.code = code;
  }
  return error;
}

}  // namespace

void WorkerChannel::send(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t size = ::write(descriptor_, text.data() + done, text.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    done += static_cast<std::size_t>(size);
  }
}

void WorkerChannel::send_steps() {
  if (steps_ > 0) send({{"advance", steps_}});
  steps_ = 0;
  sent_ = std::chrono::steady_clock::now();
}

void WorkerChannel::start(std::string_view task, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  steps_ = 0;
  send({{"start", task}, {"total", total}});
}

void WorkerChannel::advance(std::uint64_t steps) {
  const std::lock_guard lock(mutex_);
  steps_ += steps;
  if (std::chrono::steady_clock::now() - sent_ >= kStepInterval) send_steps();
}

void WorkerChannel::finish() {
  const std::lock_guard lock(mutex_);
  send_steps();
  send({{"finish", true}});
}

void WorkerChannel::forecast(double seconds_left) {
  const std::lock_guard lock(mutex_);
  send_steps();
  send({{"forecast", seconds_left}});
}

bool WorkerChannel::cancelled() const { return interrupted(); }

void WorkerChannel::log(LogLevel level, const std::string& message) {
  const std::lock_guard lock(mutex_);
  send({{"log", static_cast<int>(level)}, {"message", message}});
}

void WorkerChannel::active(const std::string& group) {
  const std::lock_guard lock(mutex_);
  send({{"active", group}});
}

void WorkerChannel::result(const Json& json, const Status& status) {
  const std::lock_guard lock(mutex_);
  Json line = {{"result", json}};
  if (!status) line["error"] = to_json(status.error());
  send(line);
}

void WorkerListener::take(std::string_view text) {
  const Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || line.empty()) return;
  const std::string& kind = line.begin().key();
  const Json& value = line.begin().value();
  if (kind == "start" && value.is_string()) {
    progress_.start(value.get<std::string>(), line.value("total", std::uint64_t{0}));
  } else if (kind == "advance" && value.is_number_unsigned()) {
    progress_.advance(value.get<std::uint64_t>());
  } else if (kind == "finish") {
    progress_.finish();
  } else if (kind == "forecast" && value.is_number()) {
    // Nobody else shows it.
    if (auto* bar = dynamic_cast<ProgressBar*>(&progress_)) bar->forecast(value.get<double>());
  } else if (kind == "log" && value.is_number_integer()) {
    tarmac::log(static_cast<LogLevel>(value.get<int>()), line.value("message", ""));
  } else if (kind == "active" && value.is_string()) {
    active_ = value.get<std::string>();
  } else if (kind == "result") {
    json_ = value;
    const auto error = line.find("error");
    status_ = error == line.end() ? Status() : Status(to_error(*error));
  }
}

}  // namespace tarmac::cli
