#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

extern char** environ;

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTickMs = 200;
constexpr std::chrono::seconds kGrace{2};
constexpr std::chrono::seconds kLastWordsWait{1};
constexpr std::size_t kMostLineBytes = std::size_t{64} << 20U;
constexpr std::size_t kMostErrorLineBytes = std::size_t{64} << 10U;
constexpr std::size_t kMostWords = 300;
constexpr int kAboveStandard = 10;

/// A number of kB behind `key` in a file like /proc/self/status; 0 when it is not there.
std::uint64_t kilobytes(const std::string& file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::uint64_t value = 0;
    for (const char c : line.substr(key.size())) {
      if (c >= '0' && c <= '9') value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value * 1024;
  }
  return 0;
}

Error cannot_start(const ChildJob& job, int failure, const std::string& what = "start") {
  const ErrorCode code = failure == ENOENT || failure == ENOTDIR   ? ErrorCode::kNotFound
                         : failure == EACCES || failure == ENOEXEC ? ErrorCode::kIo
                                                                   : ErrorCode::kInternal;
  return make_error(code, "cannot " + what + ": " + std::strerror(failure), {},
                    job.program == kThisProgram ? "tarmac" : job.program);
}

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

/// Both ends above the standard descriptors, so that none is overwritten before it is in its place.
struct Pipe {
  Descriptor read;
  Descriptor write;

  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    const Descriptor low_read(ends[0]);
    const Descriptor low_write(ends[1]);
    read = Descriptor(::fcntl(ends[0], F_DUPFD_CLOEXEC, kAboveStandard));   // NOLINT(*-vararg)
    write = Descriptor(::fcntl(ends[1], F_DUPFD_CLOEXEC, kAboveStandard));  // NOLINT(*-vararg)
    return read.get() >= 0 && write.get() >= 0;
  }
};

/// One of the child's streams, cut into lines.
class Lines {
 public:
  Lines(int descriptor, std::size_t most_bytes, std::function<void(std::string_view)> sink)
      : descriptor_(descriptor), most_bytes_(most_bytes), sink_(std::move(sink)) {}

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::size_t waiting_bytes() const { return text_.size(); }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }

  /// What is there now. At its end the descriptor becomes -1, and what has no line end is a line too.
  void read() {
    std::array<char, 65536> buffer{};
    const ssize_t size = ::read(descriptor_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) {
      descriptor_ = -1;
      flush();
      return;
    }
    total_bytes_ += static_cast<std::uint64_t>(size);
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1)
      sink_(std::string_view(text_).substr(begin, end - begin));
    text_.erase(0, begin);
    if (text_.size() > most_bytes_) flush();
  }
  void flush() {
    if (!text_.empty()) sink_(text_);
    text_.clear();
  }

 private:
  int descriptor_;
  std::size_t most_bytes_;
  std::function<void(std::string_view)> sink_;
  std::string text_;
  std::uint64_t total_bytes_ = 0;
};

/// A child being watched.
class Watch {
 public:
  Watch(const ChildJob& job, const Progress& progress, pid_t child, int lines, int errors)
      : job_(job),
        progress_(progress),
        child_(child),
        lines_(lines, 2 * kMostLineBytes, [this](std::string_view line) { hear(line); }),
        errors_(errors, kMostErrorLineBytes, [this](std::string_view line) { hear_error(line); }),
        begun_(Clock::now()),
        heard_(begun_) {}

  ChildEnd run() {
    std::optional<Clock::time_point> ended;
    while (true) {
      if (!ended && has_ended()) {
        ended = Clock::now();
        signal_group(SIGKILL);  // what it left running
      }
      const bool heard = read_some(ended ? 0 : kTickMs);
      if (ended && (!heard || Clock::now() - *ended > kLastWordsWait)) break;
      if (job_.tick) job_.tick();
      if (!ended) look_after();
    }
    lines_.flush();
    errors_.flush();
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) end_.exit_status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end_.signal = WTERMSIG(status);
    return std::move(end_);
  }

 private:
  /// Leaves it to be waited for, so that its number stays its own.
  [[nodiscard]] bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child_;
  }

  void signal_group(int signal) const { ::kill(-child_, signal); }

  void kill(ChildEnd::Killed why) {
    if (end_.killed == ChildEnd::Killed::kNo) end_.killed = why;
    signal_group(SIGKILL);
  }

  void hear(std::string_view line) {
    if (job_.on_line && end_.killed != ChildEnd::Killed::kTooMuch) job_.on_line(line);
  }

  void hear_error(std::string_view line) {
    if (line.find_first_not_of(" \t\r") != std::string_view::npos)
      end_.last_words = line.substr(0, kMostWords);
    if (job_.on_error_line) job_.on_error_line(line);
  }

  /// False when there was nothing.
  bool read_some(int wait_ms) {
    std::array<struct pollfd, 2> waiting{};
    waiting[0] = {lines_.descriptor(), POLLIN, 0};
    waiting[1] = {errors_.descriptor(), POLLIN, 0};
    if (::poll(waiting.data(), waiting.size(), wait_ms) <= 0) return false;
    if (waiting[1].revents != 0) errors_.read();
    if (waiting[0].revents != 0) {
      heard_ = Clock::now();
      lines_.read();
      if (lines_.waiting_bytes() > kMostLineBytes ||
          (job_.output_limit_bytes > 0 && lines_.total_bytes() > job_.output_limit_bytes))
        kill(ChildEnd::Killed::kTooMuch);
    }
    return true;
  }

  void look_after() {
    const auto now = Clock::now();
    if (now - looked_ < std::chrono::milliseconds(kTickMs)) return;
    looked_ = now;
    const auto longer = [&](Clock::time_point since, double limit_s) {
      return limit_s > 0 && std::chrono::duration<double>(now - since).count() > limit_s;
    };
    const std::string status = "/proc/" + std::to_string(child_) + "/status";
    end_.peak_data_bytes = std::max(end_.peak_data_bytes, kilobytes(status, "VmData:"));
    if (progress_.cancelled()) {
      if (!asked_) {
        asked_ = now;
        signal_group(SIGINT);
      } else if (now - *asked_ > kGrace) {
        signal_group(SIGKILL);
      }
    } else if (longer(heard_, job_.stall_s)) {
      kill(ChildEnd::Killed::kStalled);
    } else if (longer(begun_, job_.limit_s)) {
      kill(ChildEnd::Killed::kTooLong);
    }
  }

  const ChildJob& job_;
  const Progress& progress_;
  pid_t child_;
  Lines lines_;
  Lines errors_;
  Clock::time_point begun_;
  Clock::time_point heard_;
  Clock::time_point looked_;
  std::optional<Clock::time_point> asked_;
  ChildEnd end_;
};

std::vector<std::string> environment_of(const ChildJob& job) {
  std::vector<std::string> list;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const bool replaced = std::any_of(job.environment.begin(), job.environment.end(), [&](const auto& set) {
      return entry.starts_with(set.first) && entry.substr(set.first.size()).starts_with('=');
    });
    if (!replaced) list.emplace_back(entry);
  }
  for (const auto& [name, value] : job.environment) list.push_back(name + "=" + value);
  return list;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

/// What the child does before it becomes the other program; only what is safe after a fork among threads.
struct Launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;  // null: here
  int lines;
  int lines_target;
  int errors;
  pid_t parent;
  sigset_t mask;

  /// Returns what failed.
  [[nodiscard]] int run() const {
    // Ctrl-C on a terminal reaches the parent only, which asks the child to stop.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // NOLINT(*-vararg)
    if (::getppid() != parent) ::_exit(1);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);  // NOLINT(*-vararg)
    if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(null, STDOUT_FILENO) < 0 ||
        ::dup2(errors, STDERR_FILENO) < 0 || ::dup2(lines, lines_target) < 0)
      return errno;
    if (folder != nullptr && ::chdir(folder) != 0) return errno;
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execvpe(program, arguments, environment);
    return errno;
  }
};

Result<pid_t> start(const ChildJob& job, const Pipe& lines, const Pipe& errors) {
  Pipe failure;
  if (!failure.open()) return cannot_start(job, errno);
  const bool is_path = job.program.find('/') != std::string::npos;
  const std::string program = is_path ? std::filesystem::absolute(job.program).string() : job.program;
  std::vector<std::string> words = {job.program == kThisProgram ? "tarmac" : program};
  words.insert(words.end(), job.arguments.begin(), job.arguments.end());
  std::vector<std::string> settings = environment_of(job);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = pointers(settings);
  Launch launch{program.c_str(),
                arguments.data(),
                environment.data(),
                job.folder.empty() ? nullptr : job.folder.c_str(),
                lines.write.get(),
                job.lines_from,
                errors.write.get(),
                ::getpid(),
                {}};
  // No handler of this process may run in the child.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &launch.mask);
  // Without the handlers that libraries register for fork(): what they would repair is gone with exec.
  const pid_t child = ::_Fork();
  if (child == 0) {
    const int reason = launch.run();
    (void)!::write(failure.write.get(), &reason, sizeof(reason));
    ::_exit(127);
  }
  const int fork_failure = errno;
  ::pthread_sigmask(SIG_SETMASK, &launch.mask, nullptr);
  if (child < 0) return cannot_start(job, fork_failure);
  failure.write.close();
  int reason = 0;
  ssize_t size = 0;
  while ((size = ::read(failure.read.get(), &reason, sizeof(reason))) < 0 && errno == EINTR) {
  }
  if (size != sizeof(reason)) return child;
  ::waitpid(child, nullptr, 0);
  return cannot_start(job, reason);
}

}  // namespace

std::string ChildEnd::str() const {
  switch (killed) {
    case Killed::kStalled:
      return "did not move any more and was ended";
    case Killed::kTooLong:
      return "took too long and was ended";
    case Killed::kTooMuch:
      return "wrote too much and was ended";
    case Killed::kNo:
      break;
  }
  if (signal != 0) {
    const char* name = ::sigabbrev_np(signal);
    return "crashed (SIG" + std::string(name != nullptr ? name : std::to_string(signal)) + ")";
  }
  return "ended with status " + std::to_string(exit_status);
}

Result<ChildEnd> run_child(const ChildJob& job, const Progress& progress) {
  std::error_code failure;
  if (!job.folder.empty() && !std::filesystem::is_directory(job.folder, failure))
    return cannot_start(job, ENOENT, "work in " + job.folder.string());
  Pipe lines;
  Pipe errors;
  if (!lines.open() || !errors.open()) return cannot_start(job, errno);
  TARMAC_TRY(const pid_t child, start(job, lines, errors));
  lines.write.close();
  errors.write.close();
  ChildEnd end = Watch(job, progress, child, lines.read.get(), errors.read.get()).run();
  if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted; nothing was written");
  return end;
}

void ignore_closed_pipes() { ::signal(SIGPIPE, SIG_IGN); }

void limit_memory([[maybe_unused]] std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose shadow memory counts as well
  if (bytes == 0) return;
  const struct rlimit limit { bytes, bytes };
  ::setrlimit(RLIMIT_DATA, &limit);
#endif
}

Result<std::uint64_t> available_memory() {
  std::uint64_t available = kilobytes("/proc/meminfo", "MemAvailable:");
  if (available == 0)
    return make_error(ErrorCode::kUnavailable, "/proc/meminfo does not tell the memory; give --memory-limit");
  std::uint64_t limit = 0;
  std::uint64_t used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit &&
      std::ifstream("/sys/fs/cgroup/memory.current") >> used && limit > used)
    available = std::min(available, limit - used);
  return available;
}

Result<std::vector<std::string>> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  if (words.empty()) return make_error(ErrorCode::kInternal, "/proc/self/cmdline is empty");
  words.erase(words.begin());
  return words;
}

}  // namespace tarmac
