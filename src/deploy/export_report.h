// What an exporter says it did: the JSON object of `python -m tarmac.export … --json`.
#pragma once

#include <string>
#include <string_view>

#include "report/report.h"

namespace tarmac {

/// Reads it; `format`, `source`, `source_sha256` and `reused` stay empty. The text is not trusted. Errors:
/// kInternal where it is not that object.
Result<report::ExportFacts> read_export_report(std::string_view text);

/// The error that an exporter ended with: `exit_status`, and what it said on standard output, or else
/// `last_words`.
Error export_failure(int exit_status, std::string_view text, const std::string& last_words);

}  // namespace tarmac
