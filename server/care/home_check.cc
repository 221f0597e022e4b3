#include "server/care/home_check.h"

#include <algorithm>
#include <functional>
#include <system_error>

#include "common/base/error.h"
#include "common/net/tls.h"
#include "server/care/needed_files.h"

namespace fl::server {
namespace {

using Kind = Finding::Kind;

constexpr const char* put_keys_back =
    "copy both files of the pair from any backup: they never change; then start the server again";
constexpr const char* restore_all =
    "fl-server cannot mend this: stop the server and restore the home from a backup";

/// Whether an Error tells of what was looked at, rather than that it could not be looked at.
bool tells_of_damage(const Error& error) {
  return error.code() == ErrorCode::invalid_data || error.code() == ErrorCode::not_found ||
         error.code() == ErrorCode::invalid_argument;
}

/// Throws Error(invalid_argument) where the key is not the certificate's.
void refuse_pair_of_strangers(const net::Identity& identity, const net::Identity& authority) {
  net::TlsContext::for_server(identity, authority.certificate);
}

/// What an update's loss leads to.
std::string remedy_of(const NeededUpdate& update) {
  if (update.is_committed)
    return "copy it from a backup; the version has it, but without it round " + std::to_string(update.round) +
           " of '" + update.task + "' cannot be replayed";
  return "copy it from a backup of the same moment before the server next starts; without it fl-server "
         "records "
         "round " +
         std::to_string(update.round) + " of '" + update.task +
         "' as abandoned, and the devices train again in the next";
}

std::string remedy_of(const Digest& hash, const NeededBlob& blob) {
  std::string remedy = "copy blobs/" + hash.hex() + " from a backup";
  if (blob.spare) return remedy + "; without it devices fetch the whole weights of the version";
  if (blob.on_devices) remedy += ", or from a device that holds the version (models/TASK/parts there)";
  if (blob.at_start) return remedy + "; without it fl-server does not start";
  return remedy + (blob.on_devices ? "; no round needs it, but the version cannot be exported or evaluated"
                                   : "; nothing needs it but replaying a round that is kept");
}

class HomeCheck {
 public:
  HomeCheck(const ServerHome& home, const Watch& watch) : home_(home), watch_(watch) {}

  HomeReport run(Leftovers treatment) {
    check_keys();
    const bool whole = check_ledger();
    check_files();
    if (whole) {
      find_leftovers(home_, treatment, report_.findings);
    } else if (treatment != Leftovers::ignore) {
      report_.findings.push_back({Kind::skipped, home_.folder().string(),
                                  "was not searched for leftovers, as the ledger has faults",
                                  "look again once these are mended"});
    }
    return std::move(report_);
  }

 private:
  void fault(const std::string& where, const std::string& what, const std::string& remedy) {
    report_.findings.push_back({Kind::fault, where, what, remedy});
  }

  /// Runs `look`; damage that it throws of is a fault of `where`. Whether there was none.
  bool guarded(const std::string& where, const char* remedy, const std::function<void()>& look) {
    try {
      look();
      return true;
    } catch (const Error& error) {
      if (!tells_of_damage(error)) throw;
      fault(where, error.what(), remedy);
      return false;
    }
  }

  void check_keys() {
    guarded("authority.pem, authority.key", put_keys_back, [&] {
      const net::Identity authority = home_.authority();
      refuse_pair_of_strangers(authority, authority);
    });
    guarded("server.pem, server.key", put_keys_back,
            [&] { refuse_pair_of_strangers(home_.server_identity(), home_.authority()); });
    guarded("signing.key", put_keys_back, [&] { key_ = home_.signing_key().public_key(); });
  }

  /// Whether it has no fault.
  bool check_ledger() {
    const std::size_t before = report_.findings.size();
    const std::string where = home_.ledger_path().filename().string();
    guarded(where, restore_all, [&] {
      const Ledger ledger = Ledger::snapshot(home_.ledger_path());
      for (const std::string& sentence : ledger.faults()) fault(where, sentence, restore_all);
      report_.records = check_records(ledger, key_, report_.findings);
      needed_ = needed_files(ledger);
    });
    return report_.findings.size() == before;
  }

  std::string relative(const std::filesystem::path& path) const {
    return path.lexically_relative(home_.folder()).string();
  }

  bool check_file(const std::filesystem::path& path, const Digest& hash, Kind kind, const std::string& what,
                  const std::string& remedy) {
    ++report_.files;
    try {
      const Digest found = for_each_piece(path, [&](ByteView piece) {
        report_.bytes += piece.size();
        if (watch_) watch_(piece.size());
      });
      if (found == hash) return true;
      report_.findings.push_back(
          {kind, relative(path), "does not hash to its name; it should hold " + what, remedy});
    } catch (const Error& error) {
      const bool missing = error.code() == ErrorCode::not_found;
      const std::string state = missing ? "is missing" : std::string("cannot be read (") + error.what() + ")";
      report_.findings.push_back({kind, relative(path), state + "; it should hold " + what, remedy});
    }
    return false;
  }

  void check_files() {
    const std::size_t before = report_.findings.size();
    std::vector<std::function<bool(const NeededFiles&)>> missed;  // whether each is needed
    for (const auto& needed : needed_.blobs) {
      const auto& [hash, blob] = needed;
      const Kind kind = blob.at_start ? Kind::fault : Kind::loss;
      if (!check_file(home_.blobs_path() / hash.hex(), hash, kind, blob.what, remedy_of(hash, blob)))
        missed.emplace_back([&needed](const NeededFiles& now) { return now.blobs.contains(needed.first); });
    }
    for (const NeededUpdate& update : needed_.updates) {
      if (!check_file(home_.spool_path() / update.path, update.hash,
                      update.is_committed ? Kind::loss : Kind::fault,
                      "the acknowledged update of the device " + update.device, remedy_of(update)))
        missed.emplace_back([&update](const NeededFiles& now) { return now.holds(update); });
    }
    if (missed.empty()) return;
    // A server that runs may have done with them meanwhile: closed a round, pruned a version.
    const NeededFiles now = needed_files(Ledger::snapshot(home_.ledger_path()));
    auto finding = report_.findings.begin() + static_cast<std::ptrdiff_t>(before);
    for (const auto& is_needed : missed) {
      finding = is_needed(now) ? finding + 1 : report_.findings.erase(finding);
    }
  }

  const ServerHome& home_;
  const Watch& watch_;
  HomeReport report_;
  std::optional<PublicKey> key_;
  NeededFiles needed_;
};

}  // namespace

bool HomeReport::has(Kind kind) const {
  return std::any_of(findings.begin(), findings.end(),
                     [kind](const Finding& finding) { return finding.kind == kind; });
}

HomeReport check_home(const ServerHome& home, Leftovers treatment, const Watch& watch) {
  return HomeCheck(home, watch).run(treatment);
}

std::uint64_t bytes_to_check(const ServerHome& home) {
  std::uint64_t bytes = 0;
  try {
    const NeededFiles needed = needed_files(Ledger::snapshot(home.ledger_path()));
    for (const auto& [hash, blob] : needed.blobs) {
      std::error_code missing;
      const std::uintmax_t size = std::filesystem::file_size(home.blobs_path() / hash.hex(), missing);
      if (!missing) bytes += size;
    }
    for (const NeededUpdate& update : needed.updates) bytes += update.bytes;
  } catch (const Error&) {  // check_home() says what is wrong
    return 0;
  }
  return bytes;
}

}  // namespace fl::server
