// What a command says: text for people, or one JSON object for programs.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tarmac/result.h"

namespace tarmac::cli {

using Json = nlohmann::ordered_json;

/// Everything that goes to standard output passes here. Control characters of untrusted names never reach a
/// terminal.
class Output {
 public:
  explicit Output(std::string command, bool json) : command_(std::move(command)), is_json_(json) {}

  [[nodiscard]] bool is_json() const { return is_json_; }
  /// The object that --json prints after "command" and "status".
  [[nodiscard]] Json& json() { return json_; }

  /// A line of text; nothing under --json.
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    if (!is_json_) write_line(fmt::format(format, std::forward<Args>(args)...));
  }
  void line() { line("{}", ""); }
  /// Text as it is, under --json too: help and completion scripts.
  void raw(std::string_view text);

  /// Prints the JSON object, or the error on stderr, and returns the exit status. An output that cannot be
  /// written (disk full, closed) is an error of its own.
  int finish(const Status& status);

 private:
  void write_line(const std::string& text);

  std::string command_;
  bool is_json_;
  Json json_ = Json::object();
};

/// Columns aligned by their widest cell; numbers look best right-aligned.
class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Prints the titles and rows, indented by two spaces.
  void print(Output& output) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "1.5 MiB"; "17 bytes" below 1024.
std::string format_bytes(std::uint64_t bytes);
/// "1,234,567"
std::string format_count(std::int64_t count);
/// "1.52 s", "12.3 ms", "810 us"
std::string format_time(double nanoseconds);
/// "1.23 G", "45.6 M": decimal multiples.
std::string format_si(double value);

/// {"code", "message", "node", "context"}; empty parts are left out.
Json to_json(const Error& error);

/// The text with control characters replaced, fit for a terminal.
std::string printable(std::string_view text);

}  // namespace tarmac::cli
