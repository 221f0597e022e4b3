#include <limits>

#include "server/ledger/rows.h"

namespace fl::server {
namespace {

constexpr const char* select_open_round =
    "SELECT task, round, base_version, state, quantum, opened, deadline, closed, reason FROM rounds "
    "WHERE task = ? AND state = 'open'";
constexpr const char* select_round =
    "SELECT task, round, base_version, state, quantum, opened, deadline, closed, reason FROM rounds "
    "WHERE task = ? AND round = ?";
constexpr const char* select_rounds =
    "SELECT task, round, base_version, state, quantum, opened, deadline, closed, reason FROM rounds "
    "WHERE task = ? ORDER BY round";

constexpr const char* select_participants =
    "SELECT device, state, reason, at, update_hash, update_bytes, encoding, examples, steps, train_loss, "
    "test_examples, test_loss, test_accuracy, ending, offered, staleness FROM participants "
    "WHERE task = ? AND round = ? ORDER BY device";
constexpr const char* select_participant =
    "SELECT device, state, reason, at, update_hash, update_bytes, encoding, examples, steps, train_loss, "
    "test_examples, test_loss, test_accuracy, ending, offered, staleness FROM participants "
    "WHERE task = ? AND round = ? AND device = ?";

RoundState round_state(const std::string& text) {
  if (text == name(RoundState::committed)) return RoundState::committed;
  return text == name(RoundState::abandoned) ? RoundState::abandoned : RoundState::open;
}

ParticipantState participant_state(const std::string& text) {
  using State = ParticipantState;
  for (const State state :
       {State::accepted, State::refused, State::declined, State::late, State::dropped, State::surplus}) {
    if (text == name(state)) return state;
  }
  return State::selected;
}

/// The column `state`, which says whether there was an update; `ending` says more.
std::string update_state(ParticipantState state) {
  if (state == ParticipantState::declined) return std::string(name(ParticipantState::refused));
  return std::string(name(state));
}

std::string ending_of(ParticipantState state) {
  return state == ParticipantState::declined ? std::string(name(state)) : "";
}

ParticipantRecord read_participant(Query& row) {
  constexpr double not_finite = std::numeric_limits<double>::quiet_NaN();
  ParticipantRecord participant;
  participant.device = row.text();
  participant.state = participant_state(row.text());
  participant.reason = row.text();
  participant.at = row.moment();
  participant.update_hash = row.digest();
  participant.update_bytes = row.count();
  participant.encoding = encoding_from_name(row.text());
  participant.examples = row.count32();
  participant.steps = row.count();
  participant.train_loss = row.number_or(not_finite);
  participant.test_examples = row.count32();
  participant.test_loss = row.number_or(not_finite);
  participant.test_accuracy = row.number_or(-1.0);
  const std::string ending = row.text();
  if (!ending.empty()) participant.state = participant_state(ending);
  participant.offered = row.count();
  participant.staleness = row.count();
  return participant;
}

OpenWorkRecord read_open_work(Query& row) {
  OpenWorkRecord work;
  work.device = row.text();
  work.round = row.count();
  work.base_version = row.count();
  work.given = row.moment();
  return work;
}

std::uint64_t read_number(Query& row) {
  return row.count();
}

void insert_participant(SQLite::Database& connection, const std::string& task, std::uint64_t round,
                        const std::string& device, Timestamp at) {
  Query(connection,
        "INSERT INTO participants (task, round, device, state, at) VALUES (?, ?, ?, 'selected', ?)", task,
        round, device, at)
      .run();
}

std::string title(const std::string& task, std::uint64_t round) {
  return "round " + std::to_string(round) + " of the task '" + task + "'";
}

/// The round, which must be open.
RoundRecord require_open(const std::optional<RoundRecord>& round, const std::string& task,
                         std::uint64_t number) {
  if (!round) throw Error(ErrorCode::not_found, "there is no " + title(task, number));
  if (round->state != RoundState::open) {
    throw Error(ErrorCode::failed_precondition,
                title(task, number) + " is " + std::string(name(round->state)) + " and not open");
  }
  return *round;
}

void close_round(SQLite::Database& connection, const std::string& task, std::uint64_t round, RoundState state,
                 Timestamp closed, const std::string& reason, const Endings& endings) {
  for (const auto& [device, ending] : endings) {
    Query(connection,
          "UPDATE participants SET ending = ? WHERE task = ? AND round = ? AND device = ? AND "
          "state = 'selected'",
          std::string(name(ending)), task, round, device)
        .run();
  }
  Query(connection, "UPDATE rounds SET state = ?, closed = ?, reason = ? WHERE task = ? AND round = ?",
        std::string(name(state)), closed, reason, task, round)
      .run();
}

void set_participant(SQLite::Database& connection, const std::string& task, std::uint64_t round,
                     const ParticipantRecord& update) {
  const bool accepted = update.state == ParticipantState::accepted;
  const std::uint64_t offered = update.offered == 0 ? round : update.offered;
  Query change(connection,
               "UPDATE participants SET round = ?, offered = ?, staleness = ?, state = ?, reason = ?, "
               "at = ?, update_hash = ?, update_bytes = ?, "
               "encoding = ?, examples = ?, steps = ?, train_loss = ?, test_examples = ?, test_loss = ?, "
               "test_accuracy = ?, ending = ? "
               "WHERE task = ? AND round = ? AND device = ? AND state <> 'accepted'",
               round, update.offered, update.staleness, update_state(update.state), update.reason, update.at,
               accepted ? std::optional(update.update_hash) : std::nullopt, update.update_bytes,
               std::string(name(update.encoding)), update.examples, update.steps, update.train_loss,
               update.test_examples, update.test_loss, update.test_accuracy, ending_of(update.state), task,
               offered, update.device);
  if (change.run() == 1) return;
  Query known(connection, "SELECT 1 FROM participants WHERE task = ? AND round IN (?, ?) AND device = ?",
              task, round, offered, update.device);
  if (known.step()) {
    throw Error(ErrorCode::already_exists,
                "an update of '" + update.device + "' to " + title(task, round) + " is recorded already");
  }
  throw Error(ErrorCode::not_found,
              "the device '" + update.device + "' has no part in " + title(task, round));
}

}  // namespace

RoundRecord read_round(Query& row) {
  RoundRecord round;
  round.task = row.text();
  round.round = row.count();
  round.base_version = row.count();
  round.state = round_state(row.text());
  round.quantum = row.number();
  round.opened = row.moment();
  round.deadline = row.moment();
  round.closed = row.moment();
  round.reason = row.text();
  return round;
}

std::optional<RoundRecord> Ledger::open_round(const std::string& task) const {
  return database_->find(read_round, select_open_round, task);
}

std::vector<RoundRecord> Ledger::rounds(const std::string& task) const {
  return database_->list(read_round, select_rounds, task);
}

std::vector<ParticipantRecord> Ledger::participants(const std::string& task, std::uint64_t round) const {
  return database_->list(read_participant, select_participants, task, round);
}

std::optional<ParticipantRecord> Ledger::participant(const std::string& task, std::uint64_t round,
                                                     const std::string& device) const {
  return database_->find(read_participant, select_participant, task, round, device);
}

std::vector<OpenWorkRecord> Ledger::open_work(const std::string& task, std::uint64_t from) const {
  return database_->list(
      read_open_work,
      "SELECT p.device, p.round, r.base_version, p.at FROM rounds r"
      " JOIN participants p ON p.task = r.task AND p.round = r.round"
      " WHERE r.task = ? AND r.base_version >= ? AND p.state = 'selected' AND NOT EXISTS"
      " (SELECT 1 FROM participants n WHERE n.task = p.task AND n.round > p.round AND n.device = p.device)"
      " ORDER BY p.device",
      task, from);
}

bool Ledger::has_accepted(const std::string& task, std::uint64_t round, std::uint64_t last_round,
                          const std::string& device, const Digest& hash) const {
  return database_
      ->find(read_number,
             "SELECT 1 FROM participants WHERE task = ? AND round BETWEEN ? AND ? AND device = ? AND "
             "update_hash = ? AND state = 'accepted' AND offered = ?",
             task, round, last_round, device, hash, round)
      .has_value();
}

void Ledger::begin_round(const RoundRecord& round, const std::vector<std::string>& cohort) {
  database_->change("beginning " + title(round.task, round.round), [&] {
    Query(database_->connection,
          "INSERT INTO rounds (task, round, base_version, state, quantum, opened, deadline, closed, reason) "
          "VALUES (?, ?, ?, 'open', ?, ?, ?, ?, '')",
          round.task, round.round, round.base_version, round.quantum, round.opened, round.deadline,
          round.closed)
        .run();
    for (const std::string& device : cohort) {
      insert_participant(database_->connection, round.task, round.round, device, round.opened);
    }
  });
}

void Ledger::add_participant(const std::string& task, std::uint64_t round, const std::string& device) {
  database_->change("adding a device to " + title(task, round), [&] {
    const RoundRecord open =
        require_open(database_->find(read_round, select_round, task, round), task, round);
    insert_participant(database_->connection, task, round, device, open.opened);
  });
}

void Ledger::record_updates(const std::string& task, std::uint64_t round,
                            const std::vector<ParticipantRecord>& updates, Durability durability) {
  const Database::Syncing syncing(*database_, durability);
  database_->change("recording updates to " + title(task, round), [&] {
    require_open(database_->find(read_round, select_round, task, round), task, round);
    for (const ParticipantRecord& update : updates) {
      set_participant(database_->connection, task, round, update);
    }
  });
}

void Ledger::commit_round(const std::string& task, std::uint64_t round, Timestamp closed,
                          const VersionRecord& version, const Endings& endings) {
  database_->change("committing " + title(task, round), [&] {
    require_open(database_->find(read_round, select_round, task, round), task, round);
    const std::uint64_t next = latest_version(task).version + 1;
    if (version.task != task || version.round != round || version.version != next) {
      throw Error(ErrorCode::invalid_argument, title(task, round) + " makes version " + std::to_string(next) +
                                                   ", not version " + std::to_string(version.version) +
                                                   " of '" + version.task + "'");
    }
    close_round(database_->connection, task, round, RoundState::committed, closed, "", endings);
    insert_version(database_->connection, version);
  });
}

void Ledger::abandon_round(const std::string& task, std::uint64_t round, Timestamp closed,
                           const std::string& reason, const Endings& endings) {
  database_->change("abandoning " + title(task, round), [&] {
    require_open(database_->find(read_round, select_round, task, round), task, round);
    close_round(database_->connection, task, round, RoundState::abandoned, closed, reason, endings);
  });
}

}  // namespace fl::server
