#include "client/agent/session.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "common/net/certificates.h"
#include "common/net/tls.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using Kind = AgentEvent::Kind;
using Steady = std::chrono::steady_clock;

/// New examples, and the wall clock's jumps, are noticed after so long.
constexpr std::chrono::seconds longest_rest{15};
/// What a server may tell a device to wait for work.
constexpr std::chrono::milliseconds shortest_wait{100};
constexpr std::chrono::milliseconds longest_wait{std::chrono::hours(1)};
constexpr std::chrono::hours shortest_renewal{1};
constexpr std::chrono::milliseconds wait_after_refusal{std::chrono::minutes(1)};

Steady::duration keep_alive_of(const wire::Welcome& welcome) {
  const std::chrono::milliseconds asked(welcome.keep_alive_ms());
  return std::clamp<std::chrono::milliseconds>(asked, std::chrono::seconds(1), limits::idle_time / 3);
}

const wire::Welcome& welcome_in(const wire::Message& message) {
  if (const auto* refusal = message.body_as_Refusal()) throw error_from(*refusal);
  const auto* welcome = message.body_as_Welcome();
  if (welcome == nullptr) throw Error(ErrorCode::protocol, "the server does not answer Hello with Welcome");
  if (welcome->version() < limits::protocol_version_min ||
      welcome->version() > limits::protocol_version_max) {
    throw Error(ErrorCode::protocol, "the server chose a protocol version that this device does not speak");
  }
  return *welcome;
}

std::vector<std::string> tasks_in(const wire::Welcome& welcome) {
  std::vector<std::string> tasks;
  if (welcome.tasks() == nullptr) return tasks;
  for (const auto* task : *welcome.tasks()) tasks.push_back(task->str());
  return tasks;
}

/// The task that a pushed message is about.
std::string task_in(const wire::Message& message) {
  if (const auto* notice = message.body_as_VersionNotice()) return std::string(wire::text_of(notice->task()));
  if (const auto* subscribed = message.body_as_Subscribed()) {
    return std::string(wire::text_of(subscribed->task()));
  }
  if (const auto* offer = message.body_as_WorkOffer()) return std::string(wire::text_of(offer->task()));
  if (const auto* later = message.body_as_WorkLater()) return std::string(wire::text_of(later->task()));
  if (const auto* offer = message.body_as_EvaluationOffer()) return std::string(wire::text_of(offer->task()));
  return "";
}

}  // namespace

awaitable<void> Session::run() {
  std::exception_ptr failure;
  try {
    co_await connect();
    co_await converse();
  } catch (...) {
    failure = std::current_exception();
  }
  link_.reset();  // what reads and keeps the connection alive ends with it
  if (failure) std::rethrow_exception(failure);
}

awaitable<void> Session::connect() {
  const DeviceHome& home = context_.parts.home;
  const net::TlsContext& tls = context_.credentials.tls();
  renew_at_ = context_.credentials.renew_at();
  auto connection = co_await net::Connection::connect(home.settings().server, tls, limits::handshake_time);
  connection->set_limits(limits::message_bytes, 0);
  co_await connection->write_message(hello_message(), limits::frame_time);
  const wire::Welcome& welcome = welcome_in(*co_await connection->read_message(limits::hello_time));
  for (const std::string& task : tasks_in(welcome)) follow(task);
  const Link::Silence silence{keep_alive_of(welcome), limits::reply_time};
  connection->set_limits(limits::message_bytes, limits::chunk_bytes);
  link_ = std::make_unique<Link>(std::move(connection), co_await asio::this_coro::executor, silence,
                                 [this](const wire::Message& message) { take_push(message); });
  tell(Kind::connected, "",
       "connected to " + home.settings().server.text() + " (" + std::to_string(tasks_.size()) +
           (tasks_.size() == 1 ? " task)" : " tasks)"));
  context_.agenda.begin_connection();
}

void Session::follow(const std::string& task) {
  if (tasks_.contains(task) || !ModelStore::is_task_name(task)) return;
  if (tasks_.size() < limits::tasks) {
    tasks_.insert(task);
    unsubscribed_.push_back(task);
  } else if (!std::exchange(told_of_too_many_, true)) {
    tell(Kind::trouble, task,
         "the server has more than " + std::to_string(limits::tasks) +
             " tasks; this device follows neither " + task + " nor further ones");
  }
}

/// To every task that there is to follow and that was not subscribed to yet.
awaitable<void> Session::subscribe() {
  for (; !unsubscribed_.empty(); unsubscribed_.pop_front()) {
    const std::string task = unsubscribed_.front();
    const std::shared_ptr<ModelStore> store = context_.parts.models.find(task);
    const std::optional<StoredVersion> champion = store ? store->champion() : std::nullopt;
    const std::uint64_t held = champion ? champion->manifest.version : 0;
    context_.agenda.take_part(task, held);
    subscribing_ = true;
    co_await link_->send(subscribe_message(task, held));
    const Moment deadline = Steady::now() + limits::reply_time;
    while (!answered_.contains(task)) {
      co_await handle_stray_answer();
      if (Steady::now() >= deadline)
        throw Error(ErrorCode::timeout, "the server does not answer a subscription");
      co_await link_->rest(deadline);
    }
    subscribing_ = false;
  }
}

awaitable<void> Session::converse() {
  for (;;) {
    co_await subscribe();
    co_await handle_stray_answer();
    if (context_.parts.clock.now() >= renew_at_) co_await renew();
    count_examples();
    const Agenda::Step step = context_.agenda.next(Steady::now());
    if (!co_await perform(step)) co_return;
  }
}

awaitable<bool> Session::perform(Agenda::Step step) {
  if (purpose_ == Purpose::fetch_newest && step.kind != Agenda::Step::Kind::adopt) co_return false;
  switch (step.kind) {
    case Agenda::Step::Kind::decline:
      co_await link_->send(declined_message(context_.agenda.take_decline(step.task)));
      break;
    case Agenda::Step::Kind::announce:
      co_await announce(step.task);
      break;
    case Agenda::Step::Kind::adopt:
      co_await adopt(step.task);
      break;
    case Agenda::Step::Kind::evaluate:
      co_await evaluate(step.task);
      break;
    case Agenda::Step::Kind::train: {
      const bool ready = co_await has_control(step.task);
      if (ready) context_.trainer.begin(step.task);
      break;
    }
    case Agenda::Step::Kind::ask:
      co_await ask(step.task);
      break;
    case Agenda::Step::Kind::rest:
      if (unsubscribed_.empty()) co_await link_->rest(rest_until(step));
      break;
  }
  co_return true;
}

Moment Session::rest_until(const Agenda::Step& step) const {
  return std::min(step.until, Steady::now() + longest_rest);
}

void Session::count_examples() {
  for (const std::string& task : tasks_) {
    context_.agenda.has_examples(task, examples_of(task));
  }
}

/// None where they cannot be read: the device then receives versions and does not train.
std::uint64_t Session::examples_of(const std::string& task) {
  try {
    return context_.parts.examples.count(task, Side::training);
  } catch (const Error& error) {
    if (told_of_examples_ != error.what()) tell(Kind::trouble, task, error.what());
    told_of_examples_ = error.what();
    return 0;
  }
}

/// Nothing was asked, so this can only be a refusal of what is answered by a push: work, a subscription.
awaitable<void> Session::handle_stray_answer() {
  if (!link_->has_answer()) co_return;
  const Link::Answer answer = co_await link_->answer(limits::reply_time);
  const auto& refusal = answer.as<wire::Refusal>();
  const Error error = error_from(refusal);
  if (subscribing_) throw error;
  tell(Kind::trouble, "", std::string("the server refuses: ") + error.what());
  for (const std::string& task : tasks_)
    context_.agenda.told_to_wait(task, Steady::now() + wait_after_refusal);
}

void Session::take_push(const wire::Message& message) {
  if (const auto* added = message.body_as_TaskNotice()) {
    follow(std::string(wire::text_of(added->task())));
    return;
  }
  const std::string task = task_in(message);
  if (!tasks_.contains(task)) {
    throw Error(ErrorCode::protocol,
                std::string("the server sent ") + wire::body_name(message) + " for a task that it has not");
  }
  if (const auto* notice = message.body_as_VersionNotice()) {
    take_notice(notice_from(*notice));
    answered_.insert(task);
  } else if (const auto* subscribed = message.body_as_Subscribed()) {
    context_.agenda.newest_is(task, subscribed->version());
    answered_.insert(task);
  } else if (const auto* offer = message.body_as_WorkOffer()) {
    take_offer(task, *offer);
  } else if (const auto* evaluation = message.body_as_EvaluationOffer()) {
    context_.agenda.evaluation_offered(evaluation_offer_from(*evaluation, Steady::now()));
  } else if (const auto* later = message.body_as_WorkLater()) {
    const std::chrono::milliseconds wait(later->retry_after_ms());
    context_.agenda.told_to_wait(task, Steady::now() + std::clamp(wait, shortest_wait, longest_wait),
                                 later->firm());
    tell(Kind::waiting, task, "no work for " + task + " now: " + sentence_of(later->reason()));
  }
}

void Session::take_offer(const std::string& task, const wire::WorkOffer& message) {
  try {
    context_.agenda.offered(offer_from(message, Steady::now()));
  } catch (const Error& error) {
    context_.agenda.declined({task, message.round(), error.what()});
    tell(Kind::trouble, task,
         std::string(error.what()) + "; none is asked for again before the next version of " + task);
  }
}

awaitable<void> Session::ask(std::string task) {
  const std::shared_ptr<ModelStore> store = context_.parts.models.find(task);
  const std::optional<StoredVersion> champion = store ? store->champion() : std::nullopt;
  if (!champion) {
    context_.agenda.take_part(task, 0);
    co_return;
  }
  context_.agenda.asked(task);
  co_await link_->send(work_request_message(task, champion->manifest.version, examples_of(task)));
}

awaitable<void> Session::renew() {
  const net::PrivateKey key = net::PrivateKey::generate();
  const Moment until = Steady::now() + limits::reply_time;
  co_await link_->send(renew_message(net::make_request(key)));
  const Link::Answer answer = co_await link_->answer(limits::reply_time, until);
  if (const auto* refusal = answer.message().body_as_Refusal()) {
    renew_at_ = context_.parts.clock.now() + shortest_renewal;
    tell(Kind::trouble, "",
         std::string("the certificate is not renewed, trying again in an hour: ") +
             error_from(*refusal).what());
    co_return;
  }
  take_certificate(answer.as<wire::RenewReply>(), key);
}

void Session::take_certificate(const wire::RenewReply& reply, const net::PrivateKey& key) {
  const DeviceHome& home = context_.parts.home;
  const Timestamp now = context_.parts.clock.now();
  renew_at_ = now + shortest_renewal;
  try {
    const net::Identity fresh{net::Certificate::from_der(wire::bytes_of(reply.certificate())), key};
    net::require_usable(fresh, home.authority(), now);
    if (fresh.certificate.common_name() != home.settings().device) {
      throw Error(ErrorCode::invalid_data, "the certificate that the server sent is for another device");
    }
    context_.parts.home.replace_identity(fresh);
    renew_at_ = std::max<Timestamp>(net::renewal_time(fresh.certificate), renew_at_);
    tell(Kind::certificate_renewed, "", "the certificate was renewed");
  } catch (const Error& error) {
    tell(Kind::trouble, "",
         std::string("the certificate is not renewed, trying again in an hour: ") + error.what());
  }
}

void Session::wake() {
  if (link_) link_->wake();
}

void Session::tell(Kind kind, const std::string& task, const std::string& sentence) const {
  client::tell(context_.parts.on_event, kind, task, sentence);
}

}  // namespace fl::client
