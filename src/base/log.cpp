#include "base/log.h"

#include <utility>

namespace tarmac {
namespace {

LogSink& current_sink() {
  static LogSink sink;
  return sink;
}

}  // namespace

void set_log_sink(LogSink sink) { current_sink() = std::move(sink); }

void log(LogLevel level, const std::string& message) {
  if (const LogSink& sink = current_sink()) sink(level, message);
}

}  // namespace tarmac
