// Spans of time, kept in a ring and written as a Chrome trace.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tarmac/result.h"

namespace tarmac {

/// Keeps the latest `capacity` spans. add() is safe from any thread, takes no lock and allocates nothing.
class Tracer {
 public:
  using Clock = std::chrono::steady_clock;

  /// Errors: kResourceExhausted.
  static Result<std::shared_ptr<Tracer>> create(std::size_t capacity = 1 << 16);
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// `name` must live as long as the tracer (a literal). `id` tells apart what has one name: a frame, a
  /// batch.
  void add(const char* name, Clock::time_point begin, Clock::time_point end, std::uint64_t id = 0);
  /// Spans that the ring no longer holds, or never did because another thread was writing to their place.
  [[nodiscard]] std::uint64_t dropped() const;

  /// The spans as "complete" events of the Trace Event Format (Chromium's document of that name), for
  /// Perfetto and chrome://tracing; the times are those of the clock. Spans that are being added are left
  /// out.
  [[nodiscard]] std::string chrome_trace() const;
  /// Writes it atomically. Errors: kNotFound (no such folder), kIo.
  Status write_chrome_trace(const std::filesystem::path& path) const;

 private:
  struct Slot;
  explicit Tracer(std::size_t capacity);

  std::unique_ptr<Slot[]> slots_;
  std::size_t capacity_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> lost_{0};
};

/// Adds a span from its construction to its end; nothing without a tracer.
class Span {
 public:
  Span(Tracer* tracer, const char* name, std::uint64_t id = 0)
      : tracer_(tracer),
        name_(name),
        id_(id),
        begin_(tracer ? Tracer::Clock::now() : Tracer::Clock::time_point()) {}
  ~Span() {
    if (tracer_ != nullptr) tracer_->add(name_, begin_, Tracer::Clock::now(), id_);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Tracer* tracer_;
  const char* name_;
  std::uint64_t id_;
  Tracer::Clock::time_point begin_;
};

}  // namespace tarmac
