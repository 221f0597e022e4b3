#pragma once

#include <string>

#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include "server/care/home_check.h"
#include "server/ledger/update_spool.h"
#include "tests/unit/admin/sample_home.h"

namespace fl::test {

/// A home with everything in it that a check looks at: version 2 of "har", made by round 1 with a strategy's
/// state, and round 2 open with an accepted update of device "a".
struct FullHome : SampleHome {
  FullHome() : FullHome(sample_task()) {}
  explicit FullHome(const server::TaskRecord& task) {
    registry.add_task(task, weights, at(100));
    for (const char* device : {"a", "b"}) enrol(ledger, device);
    ledger.begin_round(sample_round(1, 1), {"a", "b"});
    const Weights next{2, 3, 4, 5, 6, 7};
    registry.commit_round(
        "har", 1, {server::store_weights(blobs, sample_task().layout, next), blobs.put(as_bytes("state"))},
        at(230));
    ledger.begin_round(sample_round(2, 2), {"a", "b"});
    accept_update("a", 2);
  }

  void accept_update(const std::string& device, std::uint64_t round) {
    server::IncomingUpdate update = spool.receive("har", round, device, update_hash(), update_text.size());
    update.append(as_bytes(update_text));
    CHECK(update.finish());
    server::ParticipantRecord record = accepted_update(device);
    record.update_hash = update_hash();
    record.update_bytes = update_text.size();
    ledger.record_updates("har", round, {record});
  }

  static Digest update_hash() { return sha256(as_bytes(update_text)); }
  std::filesystem::path update_path() const { return spool.path("har", 2, "a", update_hash()); }
  std::filesystem::path weights_path(std::uint64_t version) const {
    return blobs.path(ledger.version("har", version)->weights_hash);
  }

  /// Changes the ledger as no program of ours would.
  void execute(const std::string& sql) const {
    SQLite::Database(home.ledger_path().string(), SQLite::OPEN_READWRITE).exec(sql);
  }

  server::HomeReport check() const { return server::check_home(home, server::Leftovers::report, {}); }

  static constexpr std::string_view update_text = "twenty-four bytes, it is";
  server::UpdateSpool spool{home.spool_path()};
};

/// The only finding of this kind whose place and sentence hold these words.
inline bool finds(const server::HomeReport& report, server::Finding::Kind kind, const std::string& where,
                  const std::string& words) {
  int found = 0;
  for (const server::Finding& finding : report.findings) {
    if (finding.kind == kind && finding.where.find(where) != std::string::npos &&
        finding.what.find(words) != std::string::npos && !finding.remedy.empty())
      ++found;
  }
  return found == 1;
}

inline std::string text_of(const server::HomeReport& report) {
  std::string text;
  for (const server::Finding& finding : report.findings) {
    text += std::string(name(finding.kind)) + ": " + finding.where + ": " + finding.what + " | " +
            finding.remedy + "\n";
  }
  return text;
}

}  // namespace fl::test
