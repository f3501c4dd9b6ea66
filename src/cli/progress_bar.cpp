#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace tarmac::cli {
namespace {

constexpr std::chrono::milliseconds kRedrawInterval{100};
constexpr std::size_t kBarColumns = 24;

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole % 3600 / 60);
}

}  // namespace

std::string progress_line(std::string_view task, std::uint64_t done, std::uint64_t total, double elapsed_s,
                          std::size_t width, std::optional<double> left_s) {
  std::string line = fmt::format("{} {}", task, done);
  if (total > 0) {
    const std::uint64_t shown = std::min(done, total);
    const auto filled = static_cast<std::size_t>(kBarColumns * shown / total);
    line = fmt::format("{} [{}{}] {}/{}", task, std::string(filled, '#'),
                       std::string(kBarColumns - filled, ' '), shown, total);
  }
  line += fmt::format("  {}", duration_text(elapsed_s));
  if (left_s) {
    line += fmt::format(", about {} left", duration_text(std::max(1.0, *left_s)));
  } else if (done > 0 && total > done) {
    line += fmt::format(", {} left", duration_text(elapsed_s * static_cast<double>(total - done) /
                                                   static_cast<double>(done)));
  }
  if (done > 0 && elapsed_s >= 1) line += fmt::format(", {:.3g}/s", static_cast<double>(done) / elapsed_s);
  if (line.size() > width) line.resize(width);
  return line;
}

ProgressBar::ProgressBar(bool visible) : visible_(visible && ::isatty(STDERR_FILENO) == 1) {}

void ProgressBar::start(std::string_view task, std::uint64_t total) {
  if (!visible_) return;
  const std::lock_guard lock(mutex_);
  task_ = task;
  total_ = total;
  done_ = 0;
  expected_end_.reset();
  begin_ = Clock::now();
  draw(begin_);
}

void ProgressBar::advance(std::uint64_t steps) {
  if (!visible_) return;
  const std::lock_guard lock(mutex_);
  done_ += steps;
  const auto now = Clock::now();
  if (!task_.empty() && now - last_drawn_ >= kRedrawInterval) draw(now);
}

void ProgressBar::finish() {
  if (!visible_) return;
  const std::lock_guard lock(mutex_);
  erase();
  task_.clear();
}

void ProgressBar::forecast(double seconds_left) {
  if (!visible_) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  expected_end_ =
      now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_left));
  if (!task_.empty()) draw(now);
}

void ProgressBar::wipe() {
  if (!visible_) return;
  const std::lock_guard lock(mutex_);
  erase();
}

bool ProgressBar::cancelled() const { return interrupted(); }

void ProgressBar::draw(Clock::time_point now) {
  const double elapsed_s = std::chrono::duration<double>(now - begin_).count();
  // One column less than there is: a full line would wrap on some terminals.
  std::optional<double> left_s;
  if (expected_end_) left_s = std::chrono::duration<double>(*expected_end_ - now).count();
  const std::string line =
      progress_line(task_, done_, total_, elapsed_s, terminal_columns(STDERR_FILENO) - 1, left_s);
  print_error("\r\x1b[2K" + line);
  drawn_ = true;
  last_drawn_ = now;
}

void ProgressBar::erase() {
  if (!drawn_) return;
  print_error("\r\x1b[2K");
  drawn_ = false;
}

}  // namespace tarmac::cli
