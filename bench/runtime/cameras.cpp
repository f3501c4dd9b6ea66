// Frames of several cameras to the results of a network that sees each of them, with contract preprocessing.
#include <barrier>
#include <cstring>
#include <fstream>
#include <thread>

#include "contract/preprocess.h"
#include "contract/raw_frame.h"
#include "runtime/commands.h"
#include "tarmac/session.h"

namespace tarmac::bench {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

/// Frames of all cameras at one moment.
using Moment = std::vector<RawFrame>;

struct Times {
  std::int64_t preprocess_ns = 0;
  std::int64_t inference_ns = 0;
};

template <typename Run>
void timed(std::int64_t& sum, const Run& run) {
  const auto begin = Clock::now();
  run();
  sum += std::chrono::duration_cast<Nanoseconds>(Clock::now() - begin).count();
}

/// A context and the cameras that it serves, `chunk` of them in one run.
class Lane {
 public:
  Lane(Session session, const std::vector<Preprocessor>& cameras, std::size_t first, std::size_t count,
       std::size_t chunk)
      : session_(std::move(session)), cameras_(cameras), first_(first), count_(count), chunk_(chunk) {
    Shape shape = *cameras.front().output_shape();
    shape.front() = static_cast<std::int64_t>(chunk);
    input_ = value_of(Tensor::allocate(cameras.front().dtype(), shape));
    sample_bytes_ = input_.bytes().size() / chunk;
    std::memset(input_.mutable_bytes().data(), 0, input_.bytes().size());
    value_of(session_.set_input(session_.inputs().front().name, input_));
    value_of(session_.run());
    const Tensor result = value_of(session_.output(session_.outputs().front().name));
    result_bytes_ = result.bytes().size() / chunk;
  }

  [[nodiscard]] std::size_t chunk() const { return chunk_; }
  [[nodiscard]] std::size_t result_bytes() const { return result_bytes_; }

  /// From `begin` cameras on into the lane's input.
  void preprocess(const Moment& moment, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      value_of(cameras_[i].run_into(
          moment[i].view,
          input_.mutable_bytes().subspan((i - first_) % chunk_ * sample_bytes_, sample_bytes_)));
    }
  }

  void infer(std::size_t begin, std::span<std::byte> results) {
    value_of(session_.run());
    const Tensor result = value_of(session_.output(session_.outputs().front().name));
    std::memcpy(results.data() + begin * result_bytes_, result.bytes().data(), result.bytes().size());
  }

  Times serve(const Moment& moment, std::span<std::byte> results) {
    Times times;
    for (std::size_t begin = first_; begin < first_ + count_; begin += chunk_) {
      timed(times.preprocess_ns, [&] { preprocess(moment, begin, begin + chunk_); });
      timed(times.inference_ns, [&] { infer(begin, results); });
    }
    return times;
  }

 private:
  Session session_;
  const std::vector<Preprocessor>& cameras_;
  std::size_t first_;
  std::size_t count_;
  std::size_t chunk_;
  std::size_t sample_bytes_ = 0;
  std::size_t result_bytes_ = 0;
  Tensor input_;
};

/// Workers with a lane each; or one lane, for whose input the workers share the cameras.
class Rig {
 public:
  Rig(const Session& session, const std::vector<Preprocessor>& cameras, std::size_t workers,
      std::size_t lanes, std::size_t chunk)
      : cameras_(cameras.size()),
        workers_(workers),
        start_(static_cast<std::ptrdiff_t>(workers)),
        middle_(static_cast<std::ptrdiff_t>(workers)),
        finish_(static_cast<std::ptrdiff_t>(workers)),
        times_(workers) {
    if (lanes != 1 && lanes != workers) throw std::runtime_error("a lane for each worker, or one for all");
    if (cameras_ % lanes != 0 || cameras_ / lanes % chunk != 0 ||
        (lanes == 1 && workers > 1 && chunk != cameras_)) {
      throw std::runtime_error("the cameras do not divide into lanes and chunks");
    }
    for (std::size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(std::make_unique<Lane>(value_of(session.clone_context()), cameras,
                                              i * cameras_ / lanes, cameras_ / lanes, chunk));
    }
    results_.resize(cameras_ * lanes_.front()->result_bytes());
    for (std::size_t i = 1; i < workers; ++i) threads_.emplace_back([this, i] { work(i); });
  }

  ~Rig() {
    moment_ = nullptr;
    start_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// Wall time from all frames being there to all results; and the mean of what the workers spent.
  std::int64_t run(const Moment& moment, Times& mean) {
    const auto begin = Clock::now();
    moment_ = &moment;
    start_.arrive_and_wait();
    share(0);
    finish_.arrive_and_wait();
    const auto wall = std::chrono::duration_cast<Nanoseconds>(Clock::now() - begin).count();
    mean = {};
    for (const Times& times : times_) {
      mean.preprocess_ns += times.preprocess_ns / static_cast<std::int64_t>(workers_);
      mean.inference_ns += times.inference_ns / static_cast<std::int64_t>(workers_);
    }
    if (lanes_.size() == 1) mean.inference_ns = times_[0].inference_ns;
    return wall;
  }

  [[nodiscard]] std::span<const std::byte> results() const { return results_; }

 private:
  void work(std::size_t worker) {
    while (true) {
      start_.arrive_and_wait();
      if (moment_ == nullptr) return;
      share(worker);
      finish_.arrive_and_wait();
    }
  }

  void share(std::size_t worker) {
    Times& times = times_[worker] = {};
    if (lanes_.size() == workers_) {
      times = lanes_[worker]->serve(*moment_, results_);
      return;
    }
    timed(times.preprocess_ns, [&] {
      lanes_[0]->preprocess(*moment_, worker * cameras_ / workers_, (worker + 1) * cameras_ / workers_);
    });
    middle_.arrive_and_wait();
    if (worker == 0) timed(times.inference_ns, [&] { lanes_[0]->infer(0, results_); });
  }

  std::size_t cameras_;
  std::size_t workers_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::barrier<> start_;
  std::barrier<> middle_;
  std::barrier<> finish_;
  const Moment* moment_ = nullptr;
  std::vector<Times> times_;
  std::vector<std::byte> results_;
  std::vector<std::thread> threads_;
};

}  // namespace

Json measure_cameras(const Json& spec) {
  const Setup setup = setup_of(spec.at("setup"));
  std::vector<Preprocessor> cameras;
  std::vector<RawFormat> formats;
  for (const auto& file : spec.at("contracts")) {
    ContractOptions options;
    options.files_must_exist = false;
    const Contract contract = value_of(load_contract(file.get<std::string>(), options));
    cameras.push_back(value_of(Preprocessor::make(contract.inputs.front())));
    formats.push_back(*std::get<DecodeStep>(contract.inputs.front().preprocess.front()).raw);
  }
  std::vector<Moment> moments;
  for (const auto& files : spec.at("frames")) {
    Moment& moment = moments.emplace_back();
    for (std::size_t i = 0; i < cameras.size(); ++i)
      moment.push_back(value_of(read_raw_frame(formats[i], files.at(i).get<std::string>())));
  }
  SessionOptions options;
  options.target = setup.target;
  options.cores = setup.threads;
  options.streams = setup.streams;
  const Session session = value_of(Session::open(setup.model, options));
  Rig rig(session, cameras, spec.at("workers").get<std::size_t>(), spec.at("lanes").get<std::size_t>(),
          spec.at("chunk").get<std::size_t>());

  Times times;
  std::ofstream file(spec.at("results").get<std::string>(), std::ios::binary);
  for (const Moment& moment : moments) {  // also warms up
    rig.run(moment, times);
    file.write(reinterpret_cast<const char*>(rig.results().data()),
               static_cast<std::streamsize>(rig.results().size()));
  }
  Json found = {
      {"wall_ns", Json::array()}, {"preprocess_ns", Json::array()}, {"inference_ns", Json::array()}};
  const auto end = Clock::now() + std::chrono::duration<double>(spec.at("seconds").get<double>());
  for (std::size_t i = 0; i == 0 || Clock::now() < end; ++i) {
    found["wall_ns"].push_back(rig.run(moments[i % moments.size()], times));
    found["preprocess_ns"].push_back(times.preprocess_ns);
    found["inference_ns"].push_back(times.inference_ns);
  }
  return found;
}

}  // namespace tarmac::bench
