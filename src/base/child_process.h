// Another program as a child that may crash, hang, flood or be killed without harm to the parent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "tarmac/result.h"

namespace tarmac {

/// The descriptor that a child of this program writes lines for its parent to.
inline constexpr int kParentDescriptor = 3;
/// This program itself, as ChildJob::program.
inline constexpr const char* kThisProgram = "/proc/self/exe";

struct ChildJob {
  std::string program;                 ///< a path, or a name that is looked for in PATH
  std::vector<std::string> arguments;  ///< after the program's name; no shell sees them
  /// Set beside this process's own environment.
  std::vector<std::pair<std::string, std::string>> environment;
  std::filesystem::path folder;  ///< where it works; empty: here

  /// What on_line hears: kParentDescriptor (standard output is dropped then), or 1, standard output.
  int lines_from = kParentDescriptor;
  std::function<void(std::string_view)> on_line;
  std::function<void(std::string_view)> on_error_line;  ///< of standard error; may be empty
  std::function<void()> tick;                           ///< called five times a second; may be empty

  double stall_s = 0;                    ///< it is killed when no line comes for this long; 0: never
  double limit_s = 0;                    ///< it is killed after this long; 0: never
  std::uint64_t output_limit_bytes = 0;  ///< it is killed when its lines are more than this; 0: never
};

struct ChildEnd {
  enum class Killed { kNo, kStalled, kTooLong, kTooMuch };

  int exit_status = -1;  ///< -1 when a signal ended it
  int signal = 0;        ///< that ended it, 0 when none did
  Killed killed = Killed::kNo;
  std::uint64_t peak_data_bytes = 0;  ///< highest VmData seen
  std::string last_words;             ///< the last line of its standard error

  /// "crashed (SIGSEGV)", …
  [[nodiscard]] std::string str() const;
};

/// Runs it to its end, in a process group of its own; what it leaves running in the group is killed then. It
/// dies with the thread that calls this, and reads nothing. When `progress` is cancelled the group gets
/// SIGINT and two seconds, then SIGKILL, and the result is kCancelled. Errors: kNotFound (no such program),
/// kIo (folder, permission), kInternal when it cannot be started for another reason.
Result<ChildEnd> run_child(const ChildJob& job, const Progress& progress);

/// For a child of this program: no SIGPIPE when the parent does not listen any more.
void ignore_closed_pipes();

/// For the child: no more private memory than this (RLIMIT_DATA: heap, thread stacks, private mappings that
/// can be written). 0: any.
void limit_memory(std::uint64_t bytes);

/// What is free for a new process here: /proc/meminfo's MemAvailable, or what the control group leaves.
Result<std::uint64_t> available_memory();

/// The words that this process was started with, without the program's name.
Result<std::vector<std::string>> own_arguments();

}  // namespace tarmac
