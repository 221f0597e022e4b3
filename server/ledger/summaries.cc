#include "server/ledger/rows.h"

namespace fl::server {
namespace {

RoundSummary read_summary(Query& row) {
  RoundSummary summary;
  summary.round = read_round(row);
  summary.version_made = row.count();
  return summary;
}

/// A weighted sum and the sum of its weights.
struct Mean {
  double sum = 0.0;
  double weight = 0.0;
  std::optional<double> value() const { return weight > 0.0 ? std::optional(sum / weight) : std::nullopt; }
};

Mean read_mean(Query& row) {
  Mean mean;
  mean.sum = row.number_or(0.0);
  mean.weight = row.number_or(0.0);
  return mean;
}

void add_accepted(SQLite::Database& connection, RoundSummary& summary) {
  Query row(connection,
            "SELECT count(*), coalesce(sum(examples), 0), coalesce(sum(update_bytes), 0),"
            " sum(train_loss * examples), sum(examples) FILTER (WHERE train_loss IS NOT NULL),"
            " sum(test_loss * test_examples), sum(test_examples) FILTER (WHERE test_loss IS NOT NULL),"
            " sum(test_accuracy * test_examples) FILTER (WHERE test_accuracy >= 0),"
            " sum(test_examples) FILTER (WHERE test_accuracy >= 0)"
            " FROM participants WHERE task = ? AND round = ? AND state = 'accepted'",
            summary.round.task, summary.round.round);
  row.step();
  summary.accepted = row.count32();
  summary.examples = row.count();
  summary.update_bytes = row.count();
  summary.train_loss = read_mean(row).value();
  summary.test_loss = read_mean(row).value();
  summary.test_accuracy = read_mean(row).value();
}

void add_endings(SQLite::Database& connection, RoundSummary& summary) {
  const std::map<std::string_view, std::uint32_t*> counts = {
      {name(ParticipantState::refused), &summary.refused},
      {name(ParticipantState::declined), &summary.declined},
      {name(ParticipantState::late), &summary.late},
      {name(ParticipantState::dropped), &summary.dropped},
      {name(ParticipantState::surplus), &summary.surplus}};
  Query row(connection,
            "SELECT CASE ending WHEN '' THEN state ELSE ending END AS became, count(*) FROM participants "
            "WHERE task = ? AND round = ? GROUP BY became",
            summary.round.task, summary.round.round);
  while (row.step()) {
    const auto found = counts.find(row.text());
    const std::uint32_t count = row.count32();
    summary.selected += count;
    if (found != counts.end()) *found->second = count;
  }
}

void add_refusals(SQLite::Database& connection, RoundSummary& summary) {
  Query row(connection,
            "SELECT reason, count(*) FROM participants WHERE task = ? AND round = ? AND state = 'refused' "
            "GROUP BY reason",
            summary.round.task, summary.round.round);
  while (row.step()) {
    const std::string reason = row.text();
    summary.refusals[reason] = row.count32();
  }
}

}  // namespace

std::vector<RoundSummary> Ledger::round_summaries(const std::string& task, std::uint64_t after,
                                                  std::uint32_t limit) const {
  std::vector<RoundSummary> summaries = database_->list(
      read_summary,
      "SELECT r.task, r.round, r.base_version, r.state, r.quantum, r.opened, r.deadline, r.closed, r.reason,"
      " coalesce(v.version, 0) FROM rounds r LEFT JOIN versions v ON v.task = r.task AND v.round = r.round"
      " WHERE r.task = ? AND r.round > ? ORDER BY r.round LIMIT ?",
      task, after, limit);
  guarded("adding up rounds", [&] {
    for (RoundSummary& summary : summaries) {
      add_accepted(database_->connection, summary);
      add_endings(database_->connection, summary);
      add_refusals(database_->connection, summary);
    }
  });
  return summaries;
}

}  // namespace fl::server
