#include "cli/child_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace tarmac::test {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

[[noreturn]] void become(const std::string& program, const std::vector<std::string>& arguments,
                         const std::string& out, const std::string& err, const std::string& cache_home,
                         const ProgramOptions& options) {
  ::setenv("XDG_CACHE_HOME", cache_home.c_str(), 1);
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
  ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  if (options.max_file_bytes > 0) {
    const rlimit limit{options.max_file_bytes, options.max_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(program.c_str(), argv.data());
  ::_exit(127);
}

}  // namespace

nlohmann::json ProgramResult::json() const {
  auto value = nlohmann::json::parse(out, nullptr, false);
  if (!value.is_object()) {
    ADD_FAILURE() << "expected one JSON object on stdout, found:\n" << out << "\nand on stderr:\n" << err;
    return nlohmann::json::object();
  }
  return value;
}

std::string tarmac_path() { return TARMAC_BINARY_DIR "/bin/tarmac"; }

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const ProgramOptions& options) {
  const TemporaryFolder folder;
  const std::string out = options.stdout_file.empty() ? (folder / "out").string() : options.stdout_file;
  const std::string err = (folder / "err").string();
  const pid_t child = ::fork();
  const std::string cache_home =
      options.cache_home.empty() ? (folder / "cache").string() : options.cache_home;
  if (child == 0) become(program, arguments, out, err, cache_home, options);
  if (options.interrupt_after_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options.interrupt_after_ms));
    for (int i = 0; i < options.interrupts; ++i) {
      ::kill(child, SIGINT);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ProgramResult result;
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (options.stdout_file.empty()) result.out = read_text(out);
  result.err = read_text(err);
  return result;
}

ProgramResult run_tarmac(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  return run_program(tarmac_path(), arguments, options);
}

}  // namespace tarmac::test
