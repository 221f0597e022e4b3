#pragma once

#include <string>

#include "common/program/progress.h"
#include "common/program/text_table.h"
#include "server/care/home_check.h"

namespace fl::server {

/// Shows how many of `total` bytes have been read. One thread at a time.
class CareProgress {
 public:
  CareProgress(std::string what, std::uint64_t total)
      : progress_(std::move(what)), total_(static_cast<double>(total)) {}

  /// Refers to this, which outlives it.
  Watch watch() {
    return [this](std::uint64_t bytes) {
      done_ += static_cast<double>(bytes);
      progress_.update(done_, total_);
    };
  }

 private:
  program::Progress progress_;
  double total_;
  double done_ = 0.0;
};

/// A line for each file that a copy goes without, since it was lost or damaged before.
inline std::string losses_in(const HomeReport& report) {
  std::string lines;
  for (const Finding& finding : report.findings) {
    if (finding.kind != Finding::Kind::loss) continue;
    lines += "warning: without " + finding.where + ", which " + finding.what + "\n";
  }
  return lines;
}

/// "3 tasks, 12 versions, 11 rounds and 25 files with 1.5 MB".
inline std::string describe(const HomeReport& report) {
  const auto counted = [](std::uint64_t count, const std::string& thing) {
    return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
  };
  return counted(report.records.tasks, "task") + ", " + counted(report.records.versions, "version") + ", " +
         counted(report.records.rounds, "round") + " and " + counted(report.files, "file") + " with " +
         program::readable_bytes(report.bytes);
}

}  // namespace fl::server
