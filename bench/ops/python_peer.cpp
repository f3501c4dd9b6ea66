#include "ops/python_peer.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace tarmac::bench {
namespace {

class Process {
 public:
  Process(const std::string& python, const std::string& case_name) {
    std::array<int, 2> request{};
    std::array<int, 2> reply{};
    if (pipe2(request.data(), O_CLOEXEC) != 0 || pipe2(reply.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("cannot make a pipe to the Python peer");
    const std::string script = std::string(TARMAC_SOURCE_DIR) + "/bench/ops/torch_peer.py";
    const std::string threads = std::to_string(kThreads);
    child_ = fork();
    if (child_ == 0) {
      dup2(request[0], STDIN_FILENO);
      dup2(reply[1], STDOUT_FILENO);
      execl(python.c_str(), python.c_str(), script.c_str(), case_name.c_str(), threads.c_str(), nullptr);
      _exit(127);
    }
    close(request[0]);
    close(reply[1]);
    to_ = fdopen(request[1], "w");
    from_ = fdopen(reply[0], "r");
  }
  ~Process() {
    fclose(to_);
    fclose(from_);
    waitpid(child_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  std::int64_t ask() {
    std::array<char, 64> line{};
    if (fputs("run\n", to_) == EOF || fflush(to_) != 0 || fgets(line.data(), line.size(), from_) == nullptr)
      throw std::runtime_error("the Python peer stopped; its message is above");
    return std::strtoll(line.data(), nullptr, 10);
  }

 private:
  pid_t child_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
};

}  // namespace

std::optional<Side> torch_peer(const std::string& case_name) {
  const char* python = std::getenv("TARMAC_BENCH_PYTHON");
  if (python == nullptr) return std::nullopt;
  const auto process = std::make_shared<Process>(python, case_name);
  process->ask();  // so that a peer that cannot start says so now
  return Side{"torch", [process] { return process->ask(); }};
}

}  // namespace tarmac::bench
