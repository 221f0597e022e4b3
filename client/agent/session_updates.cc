// The half of a session that is about updates: announcing one and sending it.

#include <algorithm>
#include <chrono>
#include <string>

#include "client/agent/describe.h"
#include "client/agent/messages.h"
#include "client/agent/outbox.h"
#include "client/agent/session.h"
#include "client/store/control_store.h"
#include "common/base/error.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

using boost::asio::awaitable;
using Kind = AgentEvent::Kind;

/// The server hashes and syncs what it was sent before it answers, at this pace at least.
constexpr std::uint64_t settling_bytes_per_second = 10'000'000;

/// A server that takes many updates at once may let this one wait for its turn as long as its round lasts.
Moment answer_due(const FinishedUpdate& update) {
  const auto settling =
      limits::reply_time + std::chrono::seconds(update.bytes.size() / settling_bytes_per_second);
  return std::max(update.deadline, std::chrono::steady_clock::now() + settling);
}

std::string name_of(const FinishedUpdate& update) {
  return "round " + std::to_string(update.round) + " of " + update.task;
}

}  // namespace

awaitable<void> Session::announce(std::string task) {
  const std::shared_ptr<const FinishedUpdate> update = context_.agenda.update_of(task);
  const ByteView bytes = update->bytes;
  co_await link_->send(announce_message(*update));
  Link::Answer answer = co_await link_->answer(limits::reply_time, answer_due(*update));
  if (const auto* go = answer.message().body_as_UpdateGo()) {
    if (go->offset() > bytes.size()) {
      throw Error(ErrorCode::protocol, "the server asks for an update from beyond its end");
    }
    co_await link_->send_bulk(bytes.subspan(go->offset()), go->compress());
    answer = co_await link_->answer(limits::reply_time, answer_due(*update));
  }
  settle(*update, answer.as<wire::UpdateReply>());
}

void Session::settle(const FinishedUpdate& update, const wire::UpdateReply& reply) {
  const Settlement settlement = settlement_of(reply.outcome());
  const std::string sentence = sentence_of(reply.sentence());
  const std::string task = update.task;
  if (settlement == Settlement::done) {
    confirm_control(update);
    tell(Kind::update_accepted, task,
         name_of(update) + ": the server has the update (" + std::to_string(update.examples) + " examples, " +
             short_bytes(update.bytes.size()) + ")");
  }
  const std::string name = name_of(update);
  const bool dropped = context_.agenda.settled(
      task, settlement, std::chrono::steady_clock::now() + context_.parts.backoff.resend);
  if (dropped) Outbox(context_.parts.home.outbox_path()).remove(task);
  if (settlement == Settlement::done) return;
  tell(Kind::update_refused, task,
       name + ": the update was not taken: " + sentence + (dropped ? "" : "; it will be sent again"));
}

void Session::confirm_control(const FinishedUpdate& update) {
  const std::shared_ptr<ModelStore> store = context_.parts.models.find(update.task);
  if (store == nullptr) return;
  try {
    ControlStore(store->folder(), update.layout_hash).confirm(update.hash);
  } catch (const Error& error) {
    tell(Kind::trouble, update.task, std::string("the control variate stays as it was: ") + error.what());
  }
}

}  // namespace fl::client
