#include "client/agent/agenda.h"

#include <doctest/doctest.h>

using namespace fl::client;
using Kind = Agenda::Step::Kind;

namespace {

using std::chrono::milliseconds;

Moment at(int ms) {
  return Moment() + std::chrono::hours(1) + milliseconds(ms);
}

Notice notice(const std::string& task, std::uint64_t version) {
  return {task, version, {}};
}

Offer offer(const std::string& task, std::uint64_t round, std::uint64_t version, int deadline = 10'000) {
  Offer offer;
  offer.task = task;
  offer.round = round;
  offer.version = version;
  offer.deadline = at(deadline);
  return offer;
}

EvaluationOffer evaluation(std::uint64_t number, std::uint64_t version) {
  return {"har", number, version, at(10'000)};
}

std::shared_ptr<const FinishedUpdate> update(const std::string& task, std::uint64_t round,
                                             std::uint64_t version) {
  auto update = std::make_shared<FinishedUpdate>();
  update->task = task;
  update->round = round;
  update->version = version;
  update->deadline = at(10'000);
  return update;
}

/// A device that holds version 1 of "har" and has examples.
Agenda ready(bool trains = true) {
  Agenda agenda(trains);
  agenda.begin_connection();
  agenda.take_part("har", 1);
  agenda.newest_is("har", 1);
  agenda.has_examples("har", 10);
  return agenda;
}

void reconnect(Agenda& agenda) {
  agenda.begin_connection();
  agenda.take_part("har", 1);
  agenda.newest_is("har", 1);
}

/// Training on the offer of round 3, from version 1.
Agenda at_work() {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1));
  agenda.next(at(0));
  agenda.begin_training("har");
  return agenda;
}

}  // namespace

TEST_CASE("a device that holds the newest version and has examples asks for work once") {
  Agenda agenda = ready();
  CHECK(agenda.next(at(0)).kind == Kind::ask);
  agenda.asked("har");
  CHECK(agenda.next(at(0)).kind == Kind::rest);
}

TEST_CASE("a device without examples or without a version or that does not train asks for nothing") {
  Agenda agenda = ready();
  agenda.has_examples("har", 0);
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  CHECK(ready(false).next(at(0)).kind == Kind::rest);
  Agenda fresh(true);
  fresh.take_part("har", 0);
  fresh.has_examples("har", 10);
  CHECK(fresh.next(at(0)).kind == Kind::rest);
}

TEST_CASE("a newer version is adopted before anything is asked for") {
  Agenda agenda = ready();
  agenda.noticed(notice("har", 2));
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
  CHECK(agenda.take_notice("har").version == 2);
  CHECK(agenda.next(at(0)).kind == Kind::rest);  // it does not hold what it knows of
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("of several notices the newest counts and old ones are ignored") {
  Agenda agenda = ready();
  agenda.noticed(notice("har", 1));
  CHECK_FALSE(agenda.has_notice("har"));
  agenda.noticed(notice("har", 7));
  agenda.noticed(notice("har", 5));
  CHECK(agenda.take_notice("har").version == 7);
}

TEST_CASE("a version that was refused is not fetched again and no work is asked for until a newer one") {
  Agenda agenda = ready();
  agenda.noticed(notice("har", 2));
  agenda.take_notice("har");
  agenda.refused("har", 2);
  agenda.noticed(notice("har", 2));
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  agenda.noticed(notice("har", 3));
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
}

TEST_CASE("a device that was told to wait waits so long or until a version comes") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.told_to_wait("har", at(500));
  const Agenda::Step step = agenda.next(at(0));
  CHECK(step.kind == Kind::rest);
  CHECK(step.until == at(500));
  CHECK(agenda.next(at(500)).kind == Kind::ask);
  agenda.noticed(notice("har", 2));
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(1)).kind == Kind::ask);
}

TEST_CASE("a device that was told firmly to wait adopts what comes and asks for nothing before") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.told_to_wait("har", at(500), true);
  agenda.noticed(notice("har", 2));
  CHECK(agenda.next(at(1)).kind == Kind::adopt);
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  const Agenda::Step step = agenda.next(at(1));
  CHECK(step.kind == Kind::rest);
  CHECK(step.until == at(500));
  CHECK(agenda.next(at(500)).kind == Kind::ask);
  reconnect(agenda);
  agenda.take_part("har", 2);
  CHECK(agenda.next(at(1)).kind == Kind::ask);
}

TEST_CASE("an offer is trained on and then announced before anything else is asked for") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1));
  CHECK(agenda.next(at(0)).kind == Kind::train);
  CHECK(agenda.begin_training("har").round == 3);
  CHECK(agenda.is_training());
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  agenda.trained(update("har", 3, 1));
  CHECK(agenda.next(at(0)).kind == Kind::announce);
  CHECK(agenda.settled("har", Settlement::done, at(0)));
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("an offer of a version that is being fetched is kept until it is there") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.noticed(notice("har", 2));
  agenda.asked("har");
  agenda.offered(offer("har", 3, 2));
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(0)).kind == Kind::train);
}

TEST_CASE("an offer whose deadline has passed is forgotten") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1, 100));
  CHECK(agenda.next(at(100)).kind == Kind::ask);
}

TEST_CASE("one task trains at a time") {
  Agenda agenda = ready();
  agenda.take_part("other", 4);
  agenda.has_examples("other", 5);
  agenda.asked("har");
  agenda.asked("other");
  agenda.offered(offer("har", 1, 1));
  agenda.asked("other");
  agenda.offered(offer("other", 1, 4));
  const std::string first = agenda.next(at(0)).task;
  agenda.begin_training(first);
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  agenda.trained(update(first, 1, 1));
  agenda.settled(first, Settlement::done, at(0));
  const Agenda::Step step = agenda.next(at(0));
  CHECK(step.kind == Kind::train);
  CHECK(step.task != first);
}

TEST_CASE("a finished update outlives the connection and is announced on the next one") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1));
  agenda.next(at(0));
  agenda.begin_training("har");
  agenda.begin_connection();
  agenda.take_part("har", 1);
  CHECK(agenda.next(at(0)).kind == Kind::rest);  // still training, nothing is asked for
  agenda.trained(update("har", 3, 1));
  agenda.begin_connection();
  CHECK(agenda.next(at(0)).kind == Kind::announce);
}

TEST_CASE("an offer of a version that cannot be had is not asked for again before its deadline") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 2));
  CHECK(agenda.next(at(0)).kind == Kind::decline);
  CHECK(agenda.take_decline("har").round == 3);
  const Agenda::Step step = agenda.next(at(0));
  CHECK(step.kind == Kind::rest);
  CHECK(step.until > at(0));
  CHECK(agenda.next(step.until).kind == Kind::ask);
}

TEST_CASE("an offer that was not asked for is ignored and a device that does not train takes none") {
  Agenda agenda = ready();
  agenda.offered(offer("har", 3, 1));
  CHECK(agenda.next(at(0)).kind == Kind::ask);
  Agenda adopting = ready(false);
  adopting.asked("har");
  adopting.offered(offer("har", 3, 1));
  CHECK(adopting.next(at(0)).kind == Kind::rest);
}

TEST_CASE("what was asked for or offered on a lost connection is asked for again") {
  Agenda agenda = ready();
  agenda.asked("har");
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1));
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
  agenda.told_to_wait("har", at(9999));
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("a task that the server has no longer is left alone") {
  Agenda agenda = ready();
  agenda.begin_connection();
  CHECK(agenda.next(at(0)).kind == Kind::rest);
}

TEST_CASE("training for a round that a newer version has ended is void") {
  Agenda agenda = at_work();
  CHECK_FALSE(agenda.training_is_void());
  agenda.noticed(notice("har", 2));
  CHECK(agenda.training_is_void());
  agenda.training_failed("it diverged");
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("training whose update may be behind goes on until too many versions have come") {
  Agenda agenda = ready();
  agenda.asked("har");
  Offer late = offer("har", 3, 1);
  late.max_staleness = 2;
  agenda.offered(late);
  agenda.next(at(0));
  agenda.begin_training("har");
  agenda.noticed(notice("har", 3));
  CHECK_FALSE(agenda.training_is_void());
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
  agenda.take_notice("har");
  agenda.adopted("har", 3);
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  agenda.noticed(notice("har", 4));
  CHECK(agenda.training_is_void());
}

TEST_CASE("an offer that a newer version has overtaken here is forgotten and work asked for at once") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.offered(offer("har", 3, 1));
  agenda.noticed(notice("har", 2));
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("work that failed here is not asked for again before its round ends or a version comes") {
  Agenda agenda = at_work();
  agenda.training_failed("it diverged");
  CHECK(agenda.next(at(0)).kind == Kind::decline);
  const Decline decline = agenda.take_decline("har");
  CHECK(decline.round == 3);
  CHECK(decline.reason == "it diverged");
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::rest);
  CHECK(agenda.next(at(10'000)).kind == Kind::ask);
}

TEST_CASE("what is declined between two connections is told on the next") {
  Agenda agenda = at_work();
  agenda.begin_connection();
  agenda.training_failed("it diverged");
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::decline);
}

TEST_CASE("training that was given up is asked for again and not declined") {
  Agenda agenda = at_work();
  agenda.training_given_up();
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("after an offer that cannot be done nothing is asked for before the next version") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.declined({"har", 3, "the plan cannot be"});
  CHECK(agenda.next(at(1'000'000)).kind == Kind::decline);
  CHECK(agenda.take_decline("har").round == 3);
  CHECK(agenda.next(at(1'000'000)).kind == Kind::rest);
  reconnect(agenda);
  agenda.has_examples("har", 10);
  CHECK(agenda.next(at(1'000'000)).kind == Kind::rest);
  agenda.noticed(notice("har", 2));
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(1'000'000)).kind == Kind::ask);
}

TEST_CASE("an update that is not welcome is dropped until the round ends") {
  Agenda agenda = ready();
  agenda.trained(update("har", 3, 1));
  CHECK(agenda.settled("har", Settlement::unwelcome, at(0)));
  CHECK(agenda.update_of("har") == nullptr);
  CHECK(agenda.next(at(0)).until == at(10'000));
}

TEST_CASE("an update of a closed round is dropped and work asked for at once") {
  Agenda agenda = ready();
  agenda.trained(update("har", 3, 1));
  CHECK(agenda.settled("har", Settlement::dropped, at(0)));
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("an update is sent at most three times") {
  Agenda agenda = ready();
  agenda.trained(update("har", 3, 1));
  CHECK_FALSE(agenda.settled("har", Settlement::retry, at(100)));
  CHECK(agenda.next(at(0)).until == at(100));
  CHECK(agenda.next(at(100)).kind == Kind::announce);
  CHECK_FALSE(agenda.settled("har", Settlement::retry, at(200)));
  CHECK(agenda.settled("har", Settlement::retry, at(300)));
  CHECK(agenda.update_of("har") == nullptr);
}

TEST_CASE("an evaluation is done before anything else is asked for and then work is asked for again") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.evaluation_offered(evaluation(4, 1));
  CHECK(agenda.next(at(0)).kind == Kind::evaluate);
  CHECK(agenda.take_evaluation("har").evaluation == 4);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("an evaluation that was not asked for or whose time is over is not done") {
  Agenda agenda = ready();
  agenda.evaluation_offered(evaluation(4, 1));
  CHECK(agenda.next(at(0)).kind == Kind::ask);
  agenda.asked("har");
  agenda.evaluation_offered(evaluation(4, 1));
  CHECK(agenda.next(at(10'000)).kind == Kind::ask);
  Agenda receives = ready(false);
  receives.asked("har");
  receives.evaluation_offered(evaluation(4, 1));
  CHECK(receives.next(at(0)).kind == Kind::rest);
}

TEST_CASE("an evaluation waits for its version to be adopted and is declined where that is not to come") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.noticed(notice("har", 2));
  agenda.evaluation_offered(evaluation(4, 2));
  CHECK(agenda.next(at(0)).kind == Kind::adopt);
  agenda.take_notice("har");
  agenda.adopted("har", 2);
  CHECK(agenda.next(at(0)).kind == Kind::evaluate);
  agenda.take_evaluation("har");
  agenda.asked("har");
  agenda.evaluation_offered(evaluation(5, 1));
  CHECK(agenda.next(at(0)).kind == Kind::decline);
  const Decline decline = agenda.take_decline("har");
  CHECK(decline.evaluation == 5);
  CHECK(decline.reason == "the version to evaluate is not here");
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}

TEST_CASE("an evaluation that was offered on another connection is void") {
  Agenda agenda = ready();
  agenda.asked("har");
  agenda.evaluation_offered(evaluation(4, 1));
  reconnect(agenda);
  CHECK(agenda.next(at(0)).kind == Kind::ask);
}
