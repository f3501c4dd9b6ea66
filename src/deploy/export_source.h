// `model: {torch: …}` made an ONNX file: the exporter runs in a Python of its own.
#pragma once

#include <filesystem>

#include "base/progress.h"
#include "report/report.h"
#include "tarmac/contract.h"

namespace tarmac {

struct ExportedModel {
  std::filesystem::path path;  ///< FOLDER/NAME.onnx
  report::ExportFacts facts;
  std::string model_digest;  ///< of what the exporter wrote, as model_digest() has it
};

/// Exports `contract.source` to `folder`, which exists, and loads the result once with load_model(). When
/// source, options and environment are those of the file that is there (FOLDER/NAME.export.json says so),
/// nothing is run. `program` is the program tarmac, which exporters call; empty: they look for it. Errors:
/// the exporter's, by its exit code (kUsage, kUnsupported, kInvalidInput, kAcceptance where its result
/// differs from the framework's); kUnavailable (no Python or exporter); kResourceExhausted (source.limit_s);
/// kInternal (a crash, an answer that is no report); load_model()'s; kIo; kCancelled.
Result<ExportedModel> export_source(const Contract& contract, const std::filesystem::path& folder,
                                    const std::filesystem::path& program, Progress& progress);

}  // namespace tarmac
