// The exporters of python/tarmac/export as a child process: which Python, which command line, which
// environment.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "tarmac/contract.h"
#include "tarmac/result.h"

namespace tarmac {

/// What runs an exporter.
struct ExportPython {
  std::string program;  ///< a path, or a name in PATH
  std::vector<std::pair<std::string, std::string>> environment;
  /// Version, packages, exporters and frontend: what decides the result beside the source and the options.
  std::string fingerprint;
};

/// The interpreter is `source.python`, else TARMAC_PYTHON, else CACHE/frontend-NAME/bin/python where
/// `./dev frontend NAME` made it (CACHE: TARMAC_CACHE, else tarmac in XDG_CACHE_HOME, else ~/.cache/tarmac),
/// else python3. One without tarmac.export gets that of `program`, the program tarmac, through `folder`,
/// which outlives the child. Errors: kUnavailable (no such Python, older than 3.10, no exporters),
/// kCancelled.
Result<ExportPython> find_export_python(const ModelSource& source, const std::filesystem::path& program,
                                        const std::filesystem::path& folder, const Progress& progress);

/// What follows `python -m tarmac.export` but for -o OUT.
std::vector<std::string> export_arguments(const ModelSource& source);

/// SHA-256 over the contents of all that the source is made from, hexadecimal. For a module that is every .py
/// file below its folder (the contract's, for one to import). Empty where that is not known: a module that is
/// not below the contract's folder and names nothing in `depends`, or more than 5,000 files. Errors: kIo,
/// kNotFound.
Result<std::string> source_digest(const ModelSource& source, const std::filesystem::path& contract_folder);

}  // namespace tarmac
