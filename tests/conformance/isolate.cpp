#include "conformance/isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tarmac::conformance {
namespace {

using Clock = std::chrono::steady_clock;

/// A child that works on jobs next, next + stride, … and writes (size, answer) for each into the pipe.
struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  std::size_t next = 0;  ///< the job it is working on
  Clock::time_point deadline;
  std::string buffer;
};

void write_all(int descriptor, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(descriptor, bytes, size);
    if (written <= 0) std::_Exit(1);
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

[[noreturn]] void work(int pipe, std::size_t first, std::size_t stride, std::size_t count,
                       const std::function<std::string(std::size_t)>& job) {
  // Engines print to both; the report belongs to the parent.
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  for (std::size_t i = first; i < count; i += stride) {
    const std::string answer = job(i);
    const auto size = static_cast<std::uint32_t>(answer.size());
    write_all(pipe, &size, sizeof(size));
    write_all(pipe, answer.data(), answer.size());
  }
  std::_Exit(0);  // no destructors: engines' exit handlers are not under test
}

class Pool {
 public:
  Pool(std::size_t count, int processes, std::chrono::seconds timeout,
       const std::function<std::string(std::size_t)>& job)
      : count_(count),
        stride_(static_cast<std::size_t>(processes)),
        timeout_(timeout),
        job_(job),
        results_(count) {}

  std::vector<JobResult> run() {
    std::vector<Worker> workers(stride_);
    for (std::size_t i = 0; i < stride_; ++i) start(workers[i], i);
    while (true) {
      std::vector<pollfd> waiting;
      std::vector<Worker*> owners;
      auto wake = Clock::now() + timeout_;
      for (Worker& worker : workers) {
        if (worker.pid < 0) continue;
        waiting.push_back({worker.pipe, POLLIN, 0});
        owners.push_back(&worker);
        wake = std::min(wake, worker.deadline);
      }
      if (waiting.empty()) return std::move(results_);
      const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(wake - Clock::now()).count();
      poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(wait, 0)) + 1);
      for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents != 0) {
          receive(*owners[i]);
        } else if (Clock::now() >= owners[i]->deadline) {
          kill(owners[i]->pid, SIGKILL);
          fail(*owners[i], JobResult::State::kTimedOut);
        }
      }
    }
  }

 private:
  void start(Worker& worker, std::size_t first) {
    worker = {};
    if (first >= count_) return;
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    std::fflush(nullptr);  // or the child writes our buffered lines again
    worker.pid = fork();
    if (worker.pid < 0) std::abort();
    if (worker.pid == 0) {
      close(ends[0]);
      work(ends[1], first, stride_, count_, job_);
    }
    close(ends[1]);
    worker.pipe = ends[0];
    worker.next = first;
    worker.deadline = Clock::now() + timeout_;
  }

  void receive(Worker& worker) {
    char chunk[4096];
    const ssize_t size = read(worker.pipe, chunk, sizeof(chunk));
    if (size <= 0) {
      fail(worker, JobResult::State::kCrashed);
      return;
    }
    worker.buffer.append(chunk, static_cast<std::size_t>(size));
    std::uint32_t length = 0;
    while (worker.buffer.size() >= sizeof(length)) {
      std::memcpy(&length, worker.buffer.data(), sizeof(length));
      if (worker.buffer.size() < sizeof(length) + length) return;
      results_[worker.next] = {JobResult::State::kDone, worker.buffer.substr(sizeof(length), length)};
      worker.buffer.erase(0, sizeof(length) + length);
      worker.next += stride_;
      worker.deadline = Clock::now() + timeout_;
    }
  }

  /// The child is gone: its job is lost, a new child takes the rest.
  void fail(Worker& worker, JobResult::State state) {
    int status = 0;
    waitpid(worker.pid, &status, 0);
    close(worker.pipe);
    const std::size_t lost = worker.next;
    worker.pid = -1;
    if (lost >= count_) return;  // it had finished
    const char* signal_name = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit";
    results_[lost] = {state, signal_name != nullptr ? signal_name : "signal"};
    start(worker, lost + stride_);
  }

  std::size_t count_;
  std::size_t stride_;
  std::chrono::seconds timeout_;
  const std::function<std::string(std::size_t)>& job_;
  std::vector<JobResult> results_;
};

}  // namespace

std::vector<JobResult> run_isolated(std::size_t count, int processes, std::chrono::seconds timeout,
                                    const std::function<std::string(std::size_t)>& job) {
  return Pool(count, processes, timeout, job).run();
}

}  // namespace tarmac::conformance
