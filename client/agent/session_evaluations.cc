// The part of a session that is about evaluations: testing a version for the server and reporting.

#include <exception>
#include <string>
#include <utility>

#include "client/agent/describe.h"
#include "client/agent/evaluation.h"
#include "client/agent/messages.h"
#include "client/agent/session.h"
#include "common/base/error.h"
#include "common/net/run_on.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

using boost::asio::awaitable;
using Kind = AgentEvent::Kind;

std::string name_of(const EvaluationOffer& offer) {
  return "version " + std::to_string(offer.version) + " of " + offer.task;
}

}  // namespace

awaitable<void> Session::evaluate(std::string task) {
  const EvaluationOffer offer = context_.agenda.take_evaluation(task);
  const std::shared_ptr<ModelStore> store = context_.parts.models.find_or_make(task);
  std::optional<Evaluation> evaluation;
  std::string failure;
  try {
    auto job = [&] {
      return client::evaluate(offer, *context_.parts.engine(), *store, context_.parts.examples,
                              context_.stop);
    };
    evaluation = co_await net::run_on(context_.workers.get_executor(), std::move(job));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (evaluation) {
    co_await report(offer, *evaluation);
  } else if (!failure.empty()) {
    tell(Kind::evaluation, task, name_of(offer) + " is not evaluated: " + failure);
    const Decline decline{task, 0, failure, offer.evaluation};
    co_await link_->send(declined_message(decline));
  }
}

awaitable<void> Session::report(EvaluationOffer offer, Evaluation evaluation) {
  co_await link_->send(report_message(offer, evaluation));
  const Link::Answer answer = co_await link_->answer(limits::reply_time);
  const auto& reply = answer.as<wire::EvaluationReply>();
  const bool taken = settlement_of(reply.outcome()) == Settlement::done;
  tell(Kind::evaluation, offer.task,
       name_of(offer) + (taken ? ": the server has the report, " + describe(evaluation)
                               : ": the report was not taken: " + sentence_of(reply.sentence())));
}

}  // namespace fl::client
