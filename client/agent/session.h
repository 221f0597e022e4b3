#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include "client/agent/agenda.h"
#include "client/agent/credentials.h"
#include "client/agent/link.h"
#include "client/agent/parts.h"
#include "client/agent/trainer.h"

namespace fl::client {

/// One connection's conversation in fl/1: hello, subscriptions, then whatever the agenda says, one thing
/// after the other.
///
/// Everything runs on one executor, a single thread's. Ends by throwing what ended the connection, or when
/// the coroutine is cancelled.
class Session {
 public:
  enum class Purpose : std::uint8_t {
    stay,          ///< Takes part until the connection ends.
    fetch_newest,  ///< Adopts the newest version of every task and returns.
  };

  struct Context {
    const AgentParts& parts;
    Credentials& credentials;
    Agenda& agenda;
    Trainer& trainer;
    boost::asio::thread_pool& workers;
    std::stop_token stop;
  };

  Session(const Context& context, Purpose purpose) : context_(context), purpose_(purpose) {}

  boost::asio::awaitable<void> run();

  /// Looks at the agenda again.
  void wake();
  /// Why versions were not adopted, each a sentence; for fetch_newest.
  const std::vector<std::string>& refusals() const { return refusals_; }

 private:
  boost::asio::awaitable<void> connect();
  boost::asio::awaitable<void> subscribe();
  boost::asio::awaitable<void> converse();
  boost::asio::awaitable<bool> perform(Agenda::Step step);
  boost::asio::awaitable<void> handle_stray_answer();
  void take_push(const wire::Message& message);
  void take_notice(const Notice& notice);
  void take_offer(const std::string& task, const wire::WorkOffer& message);
  void follow(const std::string& task);
  Moment rest_until(const Agenda::Step& step) const;
  void count_examples();
  std::uint64_t examples_of(const std::string& task);

  boost::asio::awaitable<void> adopt(std::string task);
  boost::asio::awaitable<bool> fetch_parts(std::shared_ptr<ModelStore> store, Notice notice,
                                           Manifest manifest);
  /// Makes the version's weights of those before it, if they are here and the server has the difference;
  /// where that cannot be done they are to be fetched.
  boost::asio::awaitable<void> rebuild_weights(std::shared_ptr<ModelStore> store, Notice notice,
                                               Manifest manifest);
  boost::asio::awaitable<void> fetch_part(ModelStore& store, const Manifest& manifest, Digest hash,
                                          std::uint64_t bytes);
  boost::asio::awaitable<void> try_and_adopt(std::shared_ptr<ModelStore> store, Notice notice,
                                             Manifest manifest);
  void put_to_use(ModelStore& store, const Notice& notice, const Manifest& manifest, TriedVersion tried);
  void refuse(const Notice& notice, const std::string& why);

  boost::asio::awaitable<bool> has_control(std::string task);
  void confirm_control(const FinishedUpdate& update);
  boost::asio::awaitable<void> evaluate(std::string task);
  boost::asio::awaitable<void> report(EvaluationOffer offer, Evaluation evaluation);

  boost::asio::awaitable<void> ask(std::string task);
  boost::asio::awaitable<void> announce(std::string task);
  void settle(const FinishedUpdate& update, const wire::UpdateReply& reply);
  boost::asio::awaitable<void> renew();
  void take_certificate(const wire::RenewReply& reply, const net::PrivateKey& key);

  void tell(AgentEvent::Kind kind, const std::string& task, const std::string& sentence) const;

  Context context_;
  Purpose purpose_;
  std::unique_ptr<Link> link_;
  std::set<std::string> tasks_;  // that the server has and this device follows
  std::deque<std::string> unsubscribed_;
  std::set<std::string> answered_;  // subscriptions
  Timestamp renew_at_;
  std::vector<std::string> refusals_;
  std::string told_of_examples_;  // why they cannot be counted
  bool subscribing_ = false;
  bool told_of_too_many_ = false;
};

}  // namespace fl::client
