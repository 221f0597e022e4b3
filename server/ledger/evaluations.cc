#include <cmath>
#include <limits>

#include "server/ledger/rows.h"

namespace fl::server {
namespace {

EvaluationState evaluation_state(const std::string& text) {
  if (text == name(EvaluationState::complete)) return EvaluationState::complete;
  return text == name(EvaluationState::incomplete) ? EvaluationState::incomplete : EvaluationState::open;
}

EvaluatorState evaluator_state(const std::string& text) {
  if (text == name(EvaluatorState::reported)) return EvaluatorState::reported;
  return text == name(EvaluatorState::refused) ? EvaluatorState::refused : EvaluatorState::selected;
}

std::optional<double> read_number(Query& row) {
  const double number = row.number_or(std::numeric_limits<double>::quiet_NaN());
  return std::isnan(number) ? std::nullopt : std::optional(number);
}

/// A figure and its spread, which are there or not together.
void read_figure(Query& row, std::optional<double>& mean, std::optional<Spread>& spread) {
  mean = read_number(row);
  Spread values;
  for (double* const value : {&values.min, &values.p10, &values.p50, &values.p90, &values.max}) {
    *value = row.number_or(0.0);
  }
  if (mean) spread = values;
}

EvaluationRecord read_evaluation(Query& row) {
  EvaluationRecord evaluation;
  evaluation.task = row.text();
  evaluation.evaluation = row.count();
  evaluation.version = row.count();
  evaluation.state = evaluation_state(row.text());
  evaluation.opened = row.moment();
  evaluation.deadline = row.moment();
  evaluation.closed = row.moment();
  evaluation.reason = row.text();
  evaluation.summary.devices = row.count32();
  evaluation.summary.examples = row.count();
  read_figure(row, evaluation.summary.loss, evaluation.summary.loss_spread);
  read_figure(row, evaluation.summary.accuracy, evaluation.summary.accuracy_spread);
  return evaluation;
}

EvaluatorRecord read_evaluator(Query& row) {
  EvaluatorRecord evaluator;
  evaluator.device = row.text();
  evaluator.state = evaluator_state(row.text());
  evaluator.reason = row.text();
  evaluator.at = row.moment();
  evaluator.examples = row.count();
  evaluator.loss_sum = row.number_or(0.0);
  evaluator.correct = read_number(row);
  return evaluator;
}

std::string title(const std::string& task, std::uint64_t evaluation) {
  return "evaluation " + std::to_string(evaluation) + " of the task '" + task + "'";
}

void insert_evaluators(SQLite::Database& connection, const std::string& task, std::uint64_t evaluation,
                       const std::vector<std::string>& devices, Timestamp at) {
  for (const std::string& device : devices) {
    Query(connection,
          "INSERT INTO evaluators (task, evaluation, device, state, at) VALUES (?, ?, ?, 'selected', ?)",
          task, evaluation, device, at)
        .run();
  }
}

void require_open(SQLite::Database& connection, const std::string& task, std::uint64_t evaluation) {
  Query row(connection, "SELECT state FROM evaluations WHERE task = ? AND evaluation = ?", task, evaluation);
  if (!row.step()) throw Error(ErrorCode::not_found, "there is no " + title(task, evaluation));
  const std::string state = row.text();
  if (evaluation_state(state) == EvaluationState::open) return;
  throw Error(ErrorCode::failed_precondition, title(task, evaluation) + " is " + state + " and not open");
}

/// NaN, which is stored as null, for nothing.
double number_of(const std::optional<double>& number) {
  return number.value_or(std::numeric_limits<double>::quiet_NaN());
}

void update_evaluation(SQLite::Database& connection, const EvaluationRecord& ended) {
  const EvaluationSummary& summary = ended.summary;
  const Spread loss = summary.loss_spread.value_or(Spread());
  const Spread accuracy = summary.accuracy_spread.value_or(Spread());
  Query(connection,
        "UPDATE evaluations SET state = ?, closed = ?, reason = ?, devices = ?, examples = ?, loss = ?, "
        "loss_min = ?, loss_p10 = ?, loss_p50 = ?, loss_p90 = ?, loss_max = ?, accuracy = ?, "
        "accuracy_min = ?, accuracy_p10 = ?, accuracy_p50 = ?, accuracy_p90 = ?, accuracy_max = ? "
        "WHERE task = ? AND evaluation = ?",
        std::string(name(ended.state)), ended.closed, ended.reason, summary.devices, summary.examples,
        number_of(summary.loss), loss.min, loss.p10, loss.p50, loss.p90, loss.max,
        number_of(summary.accuracy), accuracy.min, accuracy.p10, accuracy.p50, accuracy.p90, accuracy.max,
        ended.task, ended.evaluation)
      .run();
}

}  // namespace

std::string_view name(EvaluationState state) {
  switch (state) {
    case EvaluationState::complete:
      return "complete";
    case EvaluationState::incomplete:
      return "incomplete";
    default:
      return "open";
  }
}

std::string_view name(EvaluatorState state) {
  switch (state) {
    case EvaluatorState::reported:
      return "reported";
    case EvaluatorState::refused:
      return "refused";
    default:
      return "selected";
  }
}

std::vector<EvaluationRecord> Ledger::evaluations(const std::string& task, std::uint64_t after,
                                                  std::uint32_t limit) const {
  return database_->list(
      read_evaluation,
      "SELECT task, evaluation, version, state, opened, deadline, closed, reason, devices, examples, loss, "
      "loss_min, loss_p10, loss_p50, loss_p90, loss_max, accuracy, accuracy_min, accuracy_p10, "
      "accuracy_p50, accuracy_p90, accuracy_max FROM evaluations "
      "WHERE task = ? AND version > ? ORDER BY version LIMIT ?",
      task, after, limit);
}

std::vector<EvaluatorRecord> Ledger::evaluators(const std::string& task, std::uint64_t evaluation) const {
  return database_->list(read_evaluator,
                         "SELECT device, state, reason, at, examples, loss_sum, correct FROM evaluators "
                         "WHERE task = ? AND evaluation = ? ORDER BY device",
                         task, evaluation);
}

void Ledger::begin_evaluation(const EvaluationRecord& evaluation, const std::vector<std::string>& devices) {
  database_->change("beginning " + title(evaluation.task, evaluation.evaluation), [&] {
    Query(database_->connection,
          "INSERT INTO evaluations (task, evaluation, version, state, opened, deadline, closed, reason) "
          "VALUES (?, ?, ?, 'open', ?, ?, ?, '')",
          evaluation.task, evaluation.evaluation, evaluation.version, evaluation.opened, evaluation.deadline,
          evaluation.closed)
        .run();
    insert_evaluators(database_->connection, evaluation.task, evaluation.evaluation, devices,
                      evaluation.opened);
  });
}

void Ledger::add_evaluators(const std::string& task, std::uint64_t evaluation,
                            const std::vector<std::string>& devices, Timestamp at) {
  database_->change("adding devices to " + title(task, evaluation), [&] {
    require_open(database_->connection, task, evaluation);
    insert_evaluators(database_->connection, task, evaluation, devices, at);
  });
}

void Ledger::record_report(const std::string& task, std::uint64_t evaluation, const EvaluatorRecord& report,
                           Durability durability) {
  const Database::Syncing syncing(*database_, durability);
  database_->change("recording a report to " + title(task, evaluation), [&] {
    require_open(database_->connection, task, evaluation);
    Query change(database_->connection,
                 "UPDATE evaluators SET state = ?, reason = ?, at = ?, examples = ?, loss_sum = ?, "
                 "correct = ? WHERE task = ? AND evaluation = ? AND device = ? AND state = 'selected'",
                 std::string(name(report.state)), report.reason, report.at, report.examples, report.loss_sum,
                 number_of(report.correct), task, evaluation, report.device);
    if (change.run() == 1) return;
    throw Error(ErrorCode::failed_precondition,
                "the device '" + report.device + "' has no report to make to " + title(task, evaluation));
  });
}

void Ledger::close_evaluation(const EvaluationRecord& ended) {
  database_->change("closing " + title(ended.task, ended.evaluation), [&] {
    require_open(database_->connection, ended.task, ended.evaluation);
    update_evaluation(database_->connection, ended);
  });
}

}  // namespace fl::server
