// Log lines go to a sink that the program installs; without one they are dropped, so the library never
// prints.
#pragma once

#include <functional>
#include <string>

namespace tarmac {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogSink = std::function<void(LogLevel, const std::string&)>;

/// Installs (or with {} removes) the process-wide sink. Not to be called while other threads log.
void set_log_sink(LogSink sink);

/// Hands a line to the sink, if there is one. Safe from several threads when the sink is.
void log(LogLevel level, const std::string& message);

}  // namespace tarmac
