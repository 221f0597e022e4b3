#include <iostream>

#include <boost/json.hpp>

#include "server/care/home_check.h"
#include "server/program/care_progress.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

namespace json = boost::json;
using program::Arguments;

bool is_clean(const HomeReport& report) {
  return !report.has_faults() && !report.has_losses();
}

void print_json(const HomeReport& report) {
  json::array findings;
  for (const Finding& finding : report.findings) {
    findings.push_back({{"kind", name(finding.kind)},
                        {"where", finding.where},
                        {"what", finding.what},
                        {"remedy", finding.remedy}});
  }
  std::cout << json::serialize(json::object{{"clean", is_clean(report)},
                                            {"tasks", report.records.tasks},
                                            {"versions", report.records.versions},
                                            {"rounds", report.records.rounds},
                                            {"files", report.files},
                                            {"bytes", report.bytes},
                                            {"findings", std::move(findings)}})
            << "\n";
}

void print(const HomeReport& report, const std::string& folder) {
  program::TextTable counts(
      {{"tasks"}, {"versions"}, {"rounds"}, {"files"}, {.name = "read", .bytes = true}});
  counts.add({static_cast<std::int64_t>(report.records.tasks),
              static_cast<std::int64_t>(report.records.versions),
              static_cast<std::int64_t>(report.records.rounds), static_cast<std::int64_t>(report.files),
              static_cast<std::int64_t>(report.bytes)});
  std::cout << counts.text() << "\n";
  for (const Finding& finding : report.findings) {
    std::cout << name(finding.kind) << ": " << finding.where << ": " << finding.what << "\n  "
              << finding.remedy << "\n";
  }
  const char* const verdict = report.has_faults()   ? " has faults"
                              : report.has_losses() ? " has lost what nothing waits for"
                                                    : " has no fault";
  std::cout << folder << verdict << "\n";
}

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const auto leftovers = arguments.has("repair") ? Leftovers::remove : Leftovers::report;
  HomeReport report;
  {
    CareProgress progress("checking", bytes_to_check(home));
    report = check_home(home, leftovers, progress.watch());
  }
  if (arguments.has("json")) {
    print_json(report);
  } else {
    print(report, arguments.text("DIR"));
  }
  return is_clean(report) ? program::exit_ok : program::exit_failed;
}

}  // namespace

program::Command fsck_command() {
  return {
      "fsck",
      "checks every hash, reference and version of a home, also while its server runs",
      "fl-server fsck ~/fl-server\nfl-server fsck ~/fl-server --repair",
      program::Options()
          .argument("DIR", "the server's home")
          .flag("repair", "remove the leftovers, while no server runs; nothing else is changed")
          .json(),
      run,
      "It prints what it has read, and one line for each thing it found, with what to do about it below:\n"
      "  fault     something is lost, or is not what it should be\n"
      "  loss      the same of a file that no device and no round waits for: all goes on without it\n"
      "  leftover  something that nothing refers to; it takes room and does no harm\n"
      "  skipped   what could not be looked at now\n"
      "It changes nothing without --repair, and ends with status 0 where there is no fault and no loss, 1 "
      "where there is one."};
}

}  // namespace fl::server
