// usage: run_pictures PLAN FOLDER: every picture of the folder through a plan with one picture input.
#include <tarmac/batcher.h>
#include <tarmac/session.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <thread>

namespace {

namespace fs = std::filesystem;
using tarmac::NamedTensors;
using tarmac::Result;
using tarmac::Session;
using tarmac::Status;
using tarmac::Tensor;

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) pictures.push_back(entry.path());
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

/// Where the largest value of a float output is, and how large it is.
void print_largest(const fs::path& picture, const Tensor& output) {
  const auto values = output.data<float>();
  const auto largest = std::max_element(values.begin(), values.end());
  std::printf("  %-24s index %td, value %.4f\n", picture.filename().c_str(), largest - values.begin(),
              static_cast<double>(*largest));
}

/// Every second picture, on a session of its own. Results go to places of their own, so threads share
/// nothing.
Status run_share(Session session, const std::string& input, const std::vector<fs::path>& pictures,
                 std::size_t first, std::vector<Tensor>& results) {
  for (std::size_t i = first; i < pictures.size(); i += 2) {
    TARMAC_TRY(const Tensor picture, session.preprocess(input, pictures[i]));
    TARMAC_CHECK_OK(session.set_input(input, picture));
    TARMAC_CHECK_OK(session.run());
    TARMAC_TRY(const Tensor output, session.output(session.outputs().front().name));
    TARMAC_TRY(results[i], output.clone());  // the session's own memory serves its next run
  }
  return {};
}

Status run_two_contexts(const Session& session, const std::string& input,
                        const std::vector<fs::path>& pictures) {
  std::printf("two contexts at once:\n");
  std::vector<Tensor> results(pictures.size());
  TARMAC_TRY(Session first, session.clone_context());
  TARMAC_TRY(Session second, session.clone_context());
  auto other = std::async(std::launch::async, [&, own = std::move(second)]() mutable {
    return run_share(std::move(own), input, pictures, 1, results);
  });
  const Status mine = run_share(std::move(first), input, pictures, 0, results);
  const Status others = other.get();
  TARMAC_CHECK_OK(mine);
  TARMAC_CHECK_OK(others);
  for (std::size_t i = 0; i < pictures.size(); ++i) print_largest(pictures[i], results[i]);
  return {};
}

/// The next picture is preprocessed while the model runs.
Status run_asynchronously(Session& session, const std::string& input, const std::vector<fs::path>& pictures) {
  std::printf("asynchronously:\n");
  if (pictures.empty()) return {};
  TARMAC_TRY(Tensor picture, session.preprocess(input, pictures.front()));
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    TARMAC_CHECK_OK(session.set_input(input, picture));
    std::future<Status> run = session.run_async();
    Tensor next;
    if (i + 1 < pictures.size()) {
      TARMAC_TRY(next, session.preprocess(input, pictures[i + 1]));
    }
    TARMAC_CHECK_OK(run.get());
    TARMAC_TRY(const Tensor output, session.output(session.outputs().front().name));
    print_largest(pictures[i], output);
    picture = std::move(next);
  }
  return {};
}

/// As requests come in a server: one at a time, from anywhere.
Status run_batched(const Session& session, const std::string& input, const std::vector<fs::path>& pictures) {
  std::printf("through a batcher:\n");
  TARMAC_TRY(tarmac::Batcher batcher, tarmac::Batcher::create(session, {.max_batch = 4}));
  std::vector<std::future<Result<NamedTensors>>> results;
  for (const fs::path& picture : pictures) {
    TARMAC_TRY(Tensor tensor, session.preprocess(input, picture));
    results.push_back(batcher.submit({{input, std::move(tensor)}}));
  }
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    TARMAC_TRY(const NamedTensors outputs, results[i].get());
    print_largest(pictures[i], outputs.begin()->second);
  }
  return {};
}

Status run(const fs::path& plan, const fs::path& folder) {
  TARMAC_TRY(Session session, Session::open(plan));
  const std::string input = session.inputs().front().name;
  std::printf("%s on %s\n", plan.c_str(), session.engine_version().c_str());
  const auto pictures = pictures_in(folder);
  TARMAC_CHECK_OK(run_two_contexts(session, input, pictures));
  TARMAC_CHECK_OK(run_asynchronously(session, input, pictures));
  TARMAC_CHECK_OK(run_batched(session, input, pictures));
  std::printf("%s", session.metrics().prometheus(plan.stem().string()).c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PLAN FOLDER\n", argv[0]);
    return 2;
  }
  const Status status = run(argv[1], argv[2]);
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().str().c_str());
  return tarmac::exit_code(status.error().code);
}
