#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cli/terminal.h"

namespace tarmac::cli {
namespace {

/// Code points, which is how many columns most names take.
std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& cell, std::size_t width, Table::Align align, bool last) {
  const std::string space(width - std::min(width, display_width(cell)), ' ');
  if (align == Table::Align::kRight) return space + cell;
  return last ? cell : cell + space;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) c = '?';
  }
  return result;
}

void Output::raw(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void Output::write_line(const std::string& text) { raw(printable(text) + '\n'); }

int Output::finish(const Status& status) {
  int exit_status = status.ok() ? 0 : exit_code(status.error().code);
  if (is_json_) {
    Json object = {{"command", command_}, {"status", status.ok() ? "ok" : "error"}};
    if (!status.ok()) object["error"] = to_json(status.error());
    object.update(json_);
    // Names in a model need not be UTF-8; JSON must be.
    raw(object.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    print_error(fmt::format("tarmac: error: cannot write to standard output: {}\n",
                            errno != 0 ? std::strerror(errno) : "an earlier write failed"));
    if (exit_status == 0) exit_status = exit_code(ErrorCode::kIo);
  }
  if (!status.ok() && !is_json_)
    print_error(fmt::format("tarmac: error: {}\n", printable(status.error().str())));
  return exit_status;
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::print(Output& output) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  const auto print_row = [&](const auto& cell_of) {
    std::string text = " ";
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      text +=
          (c == 0 ? " " : "  ") + padded(cell_of(c), widths[c], columns_[c].align, c + 1 == columns_.size());
    }
    text.erase(text.find_last_not_of(' ') + 1);
    output.line("{}", text);
  };
  print_row([&](std::size_t c) -> const std::string& { return columns_[c].title; });
  for (const auto& row : rows_) print_row([&](std::size_t c) -> const std::string& { return row[c]; });
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_count(std::int64_t count) {
  std::string text = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first + 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string format_time(double nanoseconds) {
  if (nanoseconds >= 1e9) return fmt::format("{:.2f} s", nanoseconds / 1e9);
  if (nanoseconds >= 1e6) return fmt::format("{:.2f} ms", nanoseconds / 1e6);
  return fmt::format("{:.1f} us", nanoseconds / 1e3);
}

std::string format_si(double value) {
  if (value >= 1e12) return fmt::format("{:.2f} T", value / 1e12);
  if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.2f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

Json to_json(const Error& error) {
  Json object = {{"code", to_string(error.code)}, {"message", error.message}};
  if (!error.node.empty()) object["node"] = error.node;
  if (!error.context.empty()) object["context"] = error.context;
  return object;
}

}  // namespace tarmac::cli
