// Progress on a terminal: one line on stderr that is drawn over itself.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/progress.h"

namespace tarmac::cli {

/// Draws "calibrate [#####     ] 120/300  4 s, 6 s left, 30/s" at most ten times a second, and wipes it
/// when the task ends. Always answers cancelled() from interrupted(). Safe from several threads.
class ProgressBar final : public Progress {
 public:
  /// `visible` false: nothing is drawn. It never is when stderr is no terminal.
  explicit ProgressBar(bool visible);
  ~ProgressBar() override { wipe(); }

  void start(std::string_view task, std::uint64_t total) override;
  void advance(std::uint64_t steps) override;
  void finish() override;
  /// How long the task will still take, where that is known better than steps tell. Forgotten at start().
  void forecast(double seconds_left);
  [[nodiscard]] bool cancelled() const override;

  /// Removes the drawn line, so that other text can be printed; the next advance() draws again.
  void wipe();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Clock::time_point now);
  void erase();

  const bool visible_;
  std::mutex mutex_;
  bool drawn_ = false;
  std::string task_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_drawn_;
  std::optional<Clock::time_point> expected_end_;
};

/// The line without control sequences, at most `width` columns; `left_s` takes the place of what the steps
/// tell. Exposed for its test.
std::string progress_line(std::string_view task, std::uint64_t done, std::uint64_t total, double elapsed_s,
                          std::size_t width, std::optional<double> left_s = {});

}  // namespace tarmac::cli
