#include "server/ledger/database.h"

namespace fl::server {

std::map<std::string, Timestamp> Ledger::participations(const std::string& task) const {
  return guarded("reading who took part", [&] {
    std::map<std::string, Timestamp> found;
    Query row(database_->connection,
              "SELECT p.device, max(p.at) FROM participants p"
              " JOIN rounds r ON r.task = p.task AND r.round = p.round"
              " WHERE p.task = ? AND p.state = 'accepted' AND r.state = 'committed' GROUP BY p.device",
              task);
    while (row.step()) {
      const std::string device = row.text();
      found[device] = row.moment();
    }
    return found;
  });
}

}  // namespace fl::server
