#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/agent/work.h"

namespace fl::client {

/// What became of an announced update, as far as the device does something about it.
enum class Settlement : std::uint8_t {
  done,       ///< It is in the ledger.
  dropped,    ///< It will not be taken; other work may be had at once.
  unwelcome,  ///< It will not be taken, and the same work would give the same again: not before the round
              ///< ends.
  retry,      ///< Send it again later.
};

/// What a device does next: the pure half of the agent. Events come in through the methods, next() says what
/// to do about them; no socket, clock, thread or file. Outlives connections, so that a finished update does.
///
/// For each task: a newer version is adopted before anything is asked for; work is asked for by one request
/// at a time; one task trains at a time; a finished update is announced before new work is asked for.
class Agenda {
 public:
  struct Step {
    enum class Kind : std::uint8_t { decline, announce, adopt, evaluate, train, ask, rest };
    Kind kind = Kind::rest;
    std::string task;  ///< Empty for rest.
    Moment until;      ///< rest: nothing changes before, unless something comes.
  };

  /// A device that does not train only adopts.
  explicit Agenda(bool trains) : trains_(trains) {}

  /// A connection begins: the device takes part in nothing yet, and what was asked for or offered on the last
  /// one is void; training and a finished update are not.
  void begin_connection();
  /// The device takes part in a task and holds this version of it; 0: none.
  void take_part(const std::string& task, std::uint64_t held);
  /// The server's answer where it has nothing newer.
  void newest_is(const std::string& task, std::uint64_t version);
  /// Ignored where it is not newer than what is held, known or was refused.
  void noticed(Notice notice);
  /// Ignored where it was not asked for, and so wherever the device does not train.
  void offered(Offer offer);
  /// The same; an evaluation keeps nobody from other work once it is done.
  void evaluation_offered(EvaluationOffer offer);
  /// What was offered cannot be done here: the server is told, and nothing is asked for again before the
  /// task's next version.
  void declined(Decline decline);
  /// Until then, on this connection; without `firm` no longer than until the task's next version.
  void told_to_wait(const std::string& name, Moment until, bool firm = false);
  void has_examples(const std::string& task, std::uint64_t training_examples);

  /// What to do now. An offer whose deadline has passed, or whose version a newer one has replaced here, is
  /// forgotten. One whose version is not held and will not be is declined: then nothing is asked for before
  /// that deadline, or the next version; of an evaluation only that is said.
  Step next(Moment now);

  /// For decline: what to tell the server, once.
  Decline take_decline(const std::string& task);

  /// For adopt: the notice, which is pending no longer.
  Notice take_notice(const std::string& task);
  /// Whether a newer notice came since.
  bool has_notice(const std::string& task) const;
  void adopted(const std::string& task, std::uint64_t version);
  /// The version is not to be had again.
  void refused(const std::string& task, std::uint64_t version);

  void asked(const std::string& task);

  /// For evaluate: the offer, which the device now works on.
  EvaluationOffer take_evaluation(const std::string& task);

  /// For train: the offer, which stays.
  const Offer& offer_of(const std::string& task) const { return tasks_.at(task).offer.value(); }
  /// It cannot be followed any more.
  void forget_offer(const std::string& task) { tasks_.at(task).offer.reset(); }
  /// For train: the offer, which the device now trains on.
  Offer begin_training(const std::string& task);
  /// Whether training goes on that is worth nothing any more: more newer versions have come than it may be
  /// behind, which in rounds is none.
  bool training_is_void() const;
  bool is_training() const { return training_.has_value(); }
  /// Training ended with an update, or without. Where it could not be done the server is told why, and work
  /// is asked for again after the round's deadline; where it was given up, at once.
  void trained(std::shared_ptr<const FinishedUpdate> update);
  void training_failed(const std::string& reason);
  void training_given_up();

  std::shared_ptr<const FinishedUpdate> update_of(const std::string& task) const;
  /// For retry, `again` is when; after the third time the update is dropped. Returns whether it was.
  bool settled(const std::string& name, Settlement settlement, Moment again);

 private:
  struct Task {
    std::uint64_t held = 0;
    std::uint64_t newest = 0;   // as far as the server has said
    std::uint64_t refused = 0;  // the highest version that was not adopted
    std::uint64_t examples = 0;
    std::optional<Notice> notice;
    bool asked = false;
    Moment ask_from = Moment::min();    // the server's wish, void on another connection or with a version
    Moment rest_until = Moment::min();  // the same, void on another connection alone
    Moment hold_until = Moment::min();  // the device's own, void with another version
    std::optional<Offer> offer;
    std::optional<EvaluationOffer> evaluation;
    std::optional<Decline> decline;
    std::shared_ptr<const FinishedUpdate> update;
    Moment announce_from = Moment::min();
    unsigned retries = 0;
  };

  static bool is_to_come(const Task& task, std::uint64_t version);
  static void drop_dead_offers(const std::string& name, Task& task, Moment now);
  static Moment next_question(const Task& task);
  bool may_ask(const Task& task) const;
  std::optional<Step> refusal() const;
  std::optional<Step> announcement(Moment now) const;
  std::optional<Step> adoption() const;
  std::optional<Step> evaluation() const;
  std::optional<Step> training();
  std::optional<Step> question(Moment now) const;
  Moment next_change() const;

  bool trains_;
  std::map<std::string, Task> tasks_;
  std::optional<Offer> training_;
};

}  // namespace fl::client
