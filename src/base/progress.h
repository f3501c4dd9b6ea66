// Progress and cancellation of long work, without printing: the library reports, the command line draws.
#pragma once

#include <cstdint>
#include <string_view>

namespace tarmac {

/// Called from the thread that does the work. The default does nothing and never cancels.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A new task of `total` steps begins (0: unknown).
  virtual void start(std::string_view task, std::uint64_t total) { (void)task, (void)total; }
  virtual void advance(std::uint64_t steps = 1) { (void)steps; }
  virtual void finish() {}
  /// True once the user asked to stop: return ErrorCode::kCancelled soon.
  [[nodiscard]] virtual bool cancelled() const { return false; }
};

/// A Progress that does nothing, for callers that do not watch.
Progress& no_progress();

}  // namespace tarmac
