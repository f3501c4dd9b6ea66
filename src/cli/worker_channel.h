// Lines between the process that builds a plan and the one that shows how far it is: JSON objects.
//   {"start": task, "total": n}  {"advance": n}  {"finish": true}  {"forecast": seconds}
//   {"log": level, "message": text}  {"active": "openvino fp32"}  {"result": {…}, "error": {…}}
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/progress.h"
#include "cli/output.h"

namespace tarmac::cli {

/// The child's end. Thread-safe; nothing happens where the parent does not listen any more.
class WorkerChannel final : public Progress {
 public:
  explicit WorkerChannel(int descriptor) : descriptor_(descriptor) {}

  void start(std::string_view task, std::uint64_t total) override;
  void advance(std::uint64_t steps) override;
  void finish() override;
  [[nodiscard]] bool cancelled() const override;

  void log(LogLevel level, const std::string& message);
  void forecast(double seconds_left);
  /// Whose engine works next; "" for none.
  void active(const std::string& group);
  void result(const Json& json, const Status& status);

 private:
  void send(const Json& line);
  void send_steps();

  int descriptor_;
  std::mutex mutex_;
  std::uint64_t steps_ = 0;  // not sent yet
  std::chrono::steady_clock::time_point sent_;
};

/// The parent's end.
class WorkerListener {
 public:
  explicit WorkerListener(Progress& progress) : progress_(progress) {}
  void take(std::string_view line);

  [[nodiscard]] const std::string& active() const { return active_; }
  /// What the child came to; none before its end.
  [[nodiscard]] const std::optional<Status>& status() const { return status_; }
  [[nodiscard]] const Json& json() const { return json_; }

 private:
  Progress& progress_;
  std::string active_;
  std::optional<Status> status_;
  Json json_;
};

}  // namespace tarmac::cli
