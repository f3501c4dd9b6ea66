#include "cli/memory_probe.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

extern char** environ;

namespace tarmac::cli {
namespace {

Error failed(const std::string& what, const std::filesystem::path& plan) {
  return make_error(ErrorCode::kInternal, "cannot measure the plan's memory: " + what, {}, plan.string());
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t size = ::read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace

Result<std::uint64_t> measure_plan_memory(const std::filesystem::path& plan) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return failed(std::strerror(errno), plan);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  std::array<std::string, 6> words = {"tarmac", "bench", plan.string(), "--json", "--duration", "0.5"};
  std::array<char*, 7> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  pid_t child = 0;
  const int failure = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  const std::string answer = failure == 0 ? read_all(pipe[0]) : std::string();
  ::close(pipe[0]);
  if (failure != 0) return failed(std::strerror(failure), plan);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_code(ErrorCode::kCancelled)) {
    return make_error(ErrorCode::kCancelled, "interrupted while the plan's memory was measured");
  }
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || json.is_discarded()) {
    return failed("tarmac bench ended with status " + std::to_string(status) + ": " + answer.substr(0, 400),
                  plan);
  }
  const auto bytes =
      json.value(nlohmann::json::json_pointer("/memory/peak_resident_bytes"), std::uint64_t{0});
  if (bytes == 0) return failed("tarmac bench named no peak", plan);
  return bytes;
}

}  // namespace tarmac::cli
