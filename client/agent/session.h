#pragma once

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include "client/agent/agenda.h"
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
    Agenda& agenda;
    Trainer& trainer;
    boost::asio::thread_pool& workers;
    std::stop_token stop;
  };

  Session(const Context& context, Purpose purpose) : context_(context), purpose_(purpose) {}

  boost::asio::awaitable<void> run();

  /// Looks at the agenda again.
  void wake();
  /// Whether the conversation came as far as the first answers: the server is well.
  bool got_through() const { return got_through_; }
  /// Why versions were not adopted, each a sentence.
  const std::vector<std::string>& refusals() const { return refusals_; }

 private:
  boost::asio::awaitable<void> connect();
  boost::asio::awaitable<void> subscribe();
  boost::asio::awaitable<void> converse();
  boost::asio::awaitable<bool> perform(Agenda::Step step);
  boost::asio::awaitable<void> handle_stray_answer();
  void take_push(const wire::Message& message);
  Moment rest_until(const Agenda::Step& step) const;
  void count_examples();

  boost::asio::awaitable<void> adopt(std::string task);
  boost::asio::awaitable<bool> fetch_parts(ModelStore& store, const Manifest& manifest);
  boost::asio::awaitable<void> fetch_part(ModelStore& store, const Manifest& manifest, Digest hash,
                                          std::uint64_t bytes);
  boost::asio::awaitable<void> try_and_adopt(std::shared_ptr<ModelStore> store, Notice notice,
                                             Manifest manifest);
  void put_to_use(ModelStore& store, const Notice& notice, const Manifest& manifest, TriedVersion tried);
  void refuse(const Notice& notice, const std::string& why);

  boost::asio::awaitable<void> ask(std::string task);
  boost::asio::awaitable<void> announce(std::string task);
  void settle(const FinishedUpdate& update, const wire::UpdateReply& reply);
  boost::asio::awaitable<void> renew();

  void tell(AgentEvent::Kind kind, const std::string& task, const std::string& sentence) const;

  Context context_;
  Purpose purpose_;
  std::unique_ptr<Link> link_;
  std::set<std::string> tasks_;     // that the server has
  std::set<std::string> answered_;  // subscriptions
  Timestamp renew_at_;
  std::vector<std::string> refusals_;
  bool got_through_ = false;
};

}  // namespace fl::client
