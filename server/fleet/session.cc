#include "server/fleet/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "protocol/features.h"
#include "protocol/limits.h"
#include "server/fleet/violation.h"

namespace fl::server {

namespace asio = boost::asio;
using wire::RefusalCode;

namespace {

// Answers and notices that a device leaves unread before it is disconnected.
constexpr std::size_t most_sends_in_flight = 64;
// Between two renewals in a connection, because each costs a signature and a commit.
constexpr std::chrono::minutes shortest_renewal{1};
// Of a device, before it is heard later; many more than any work takes.
constexpr std::size_t messages_a_minute = 6000;
constexpr std::chrono::milliseconds pace{50};

/// What this server can do beyond the protocol's version 1.
constexpr std::array our_features{wire::evaluation_feature, wire::differences_feature, wire::zstd_feature};

/// Marks a session as busy while it handles one message.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

Session::Session(const Parts& parts, std::unique_ptr<net::Connection> connection, std::string device,
                 std::optional<Objection> objection)
    : parts_(parts),
      connection_(std::move(connection)),
      device_(std::move(device)),
      objection_(std::move(objection)),
      keep_alive_timer_(parts_.context),
      pace_timer_(parts_.context),
      messages_(messages_a_minute, 1) {}

Session::~Session() = default;

void Session::close() {
  closing_ = closed_ = true;
  keep_alive_timer_.cancel();
  pace_timer_.cancel();
  parts_.slots.call_off(this);
  connection_->close();
}

void Session::close_when_idle() {
  closing_ = true;
  parts_.slots.call_off(this);
  if (!busy_) close();
}

void Session::leave() {
  for (const std::string& name : subscribed_) {
    if (const auto task = parts_.tasks.find(name)) task->unsubscribe(device_, *this);
  }
  subscribed_.clear();
}

asio::awaitable<void> Session::run() {
  const auto self = shared_from_this();
  std::optional<Violation> violation;
  try {
    co_await greet();
    asio::co_spawn(parts_.context, [self] { return self->keep_alive(); }, asio::detached);
    co_await converse();
  } catch (const Violation& error) {
    violation = error;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::protocol)
      violation = Violation(RefusalCode::malformed, error.what());
    else if (error.code() == ErrorCode::timeout && !closing_)
      parts_.refusals.note(Stage::session, "timeout", device_,
                           fmt::format("device={}: cut off: {}", device_, error.what()));
    else if (!closing_)
      parts_.log->info(fmt::format("device={}: {}", device_, error.what()));
  } catch (const std::exception& error) {
    parts_.log->error(
        fmt::format("device={} address={}: {}", device_, connection_->peer_address(), error.what()));
  }
  leave();
  if (violation && !closing_) co_await part_with(violation->refusal, violation->reason, violation->what());
  close();
}

asio::awaitable<void> Session::part_with(RefusalCode code, std::string reason, std::string sentence) {
  parts_.refusals.note(
      Stage::session, reason, device_,
      fmt::format("device={} address={}: {}", device_, connection_->peer_address(), sentence));
  try {
    co_await write(refusal_message(code, sentence, true));
  } catch (const Error& error) {
    parts_.log->debug(fmt::format("device={}: did not listen: {}", device_, error.what()));
  }
}

asio::awaitable<void> Session::greet() {
  const wire::Message* message = co_await connection_->read_message(limits::hello_time);
  const wire::Hello* hello = message->body_as_Hello();
  if (hello == nullptr) {
    throw Violation(RefusalCode::unexpected,
                    std::string("a conversation begins with Hello, not with ") + wire::body_name(*message));
  }
  if (const auto objection = parts_.certificates.admit(device_)) {
    throw Violation(RefusalCode::revoked, *objection);
  }
  if (objection_) throw Violation(RefusalCode::internal, objection_->sentence, objection_->reason);
  const std::uint16_t version = wire::negotiated_version(hello->version_min(), hello->version_max());
  if (version == 0) {
    throw Violation(RefusalCode::version, "this server speaks protocol versions " +
                                              std::to_string(limits::protocol_version_min) + " to " +
                                              std::to_string(limits::protocol_version_max));
  }
  const std::vector<std::string> features = wire::negotiated_features(hello->features(), our_features);
  const auto has = [&features](std::string_view feature) {
    return std::find(features.begin(), features.end(), feature) != features.end();
  };
  evaluates_ = has(wire::evaluation_feature);
  takes_differences_ = has(wire::differences_feature);
  compresses_ = has(wire::zstd_feature);
  connection_->set_limits(limits::message_bytes, 0);
  parts_.log->info(fmt::format("device={} address={}: connected", device_, connection_->peer_address()));
  greeted_ = true;
  co_await write(welcome_message(version, features, parts_.tasks.names(), parts_.clock.now()));
}

asio::awaitable<void> Session::keep_alive() {
  const auto self = shared_from_this();
  while (!closing_) {
    keep_alive_timer_.expires_after(limits::idle_time / 3);
    boost::system::error_code cancelled;
    co_await keep_alive_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    if (!closing_) send(keep_alive_message());
  }
}

asio::awaitable<void> Session::converse() {
  while (!closing_) {
    const wire::Message* message = co_await connection_->read_message(limits::idle_time);
    {
      const Busy busy(busy_);
      co_await handle(*message);
    }
    co_await keep_pace();
    co_await asio::post(parts_.context, asio::use_awaitable);  // a device that says much lets others speak
  }
}

asio::awaitable<void> Session::keep_pace() {
  while (!closing_ && !messages_.take("", RateLimiter::Moment::clock::now())) {
    pace_timer_.expires_after(pace);
    boost::system::error_code cancelled;
    co_await pace_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
}

asio::awaitable<void> Session::handle(const wire::Message& message) {
  using wire::Body;
  switch (message.body_type()) {
    case Body::KeepAlive:
      break;
    case Body::Subscribe:
      co_await on(*message.body_as_Subscribe());
      break;
    case Body::WorkRequest:
      co_await on(*message.body_as_WorkRequest());
      break;
    case Body::WorkDeclined:
      on(*message.body_as_WorkDeclined());
      break;
    case Body::Fetch:
      co_await on(*message.body_as_Fetch());
      break;
    case Body::UpdateAnnounce:
      co_await on(*message.body_as_UpdateAnnounce());
      break;
    case Body::RenewRequest:
      co_await on(*message.body_as_RenewRequest());
      break;
    case Body::EvaluationReport:
      co_await on(*message.body_as_EvaluationReport());
      break;
    default:
      throw Violation(RefusalCode::unexpected,
                      std::string(wire::body_name(message)) + " is not expected here");
  }
}

asio::awaitable<void> Session::on(const wire::Subscribe& message) {
  const std::string name(wire::text_of(message.task()));
  const auto task = parts_.tasks.find(name);
  if (!task) {
    co_await refuse(RefusalCode::not_found, "there is no task " + in_quotes(name));
    co_return;
  }
  subscribed_.insert(name);
  task->subscribe(device_, *this);
  const VersionRecord& latest = task->latest();
  MessageBuffer answer = message.held_version() < latest.version ? version_message(latest, takes_differences_)
                                                                 : subscribed_message(name, latest.version);
  co_await write(std::move(answer));
}

asio::awaitable<void> Session::on(const wire::WorkRequest& message) {
  const std::string name(wire::text_of(message.task()));
  const auto task = parts_.tasks.find(name);
  if (task && subscribed_.contains(name)) {
    task->ask(device_);
    co_return;
  }
  co_await refuse(RefusalCode::unexpected, "WorkRequest needs a subscription to its task");
}

void Session::on(const wire::WorkDeclined& message) {
  const std::string name(wire::text_of(message.task()));
  const auto task = parts_.tasks.find(name);
  if (!task || !subscribed_.contains(name)) return;
  const std::string reason = readable(wire::text_of(message.reason()));
  if (message.evaluation() != 0) return task->evaluation().decline(device_, message.evaluation(), reason);
  task->decline(device_, message.round(), reason);
}

asio::awaitable<void> Session::on(const wire::RenewRequest& message) {
  const Timestamp now = parts_.clock.now();
  if (renewed_ && now - *renewed_ < shortest_renewal) {
    co_await refuse(RefusalCode::unexpected, "a certificate is renewed once a minute");
    co_return;
  }
  renewed_ = now;
  const ByteView request = wire::bytes_of(message.certificate_request());
  MessageBuffer reply;
  std::optional<Error> failure;
  try {
    reply = renewed_message(parts_.certificates.renew(device_, request));
  } catch (const Error& error) {
    failure = error;
  }
  if (!failure) {
    parts_.log->info(fmt::format("device={}: certificate renewed", device_));
    co_await write(std::move(reply));
  } else if (failure->code() == ErrorCode::invalid_data) {
    co_await refuse(RefusalCode::malformed, failure->what());
  } else {
    parts_.log->error(
        fmt::format("device={}: its certificate was not renewed: {}", device_, failure->what()));
    co_await refuse(RefusalCode::internal, "the server could not renew it; try again later");
  }
}

asio::awaitable<void> Session::refuse(RefusalCode code, std::string sentence) {
  parts_.refusals.note(Stage::session, wire::EnumNameRefusalCode(code), device_,
                       fmt::format("device={}: refused: {}", device_, sentence));
  co_await write(refusal_message(code, sentence, false));
}

asio::awaitable<void> Session::write(MessageBuffer message) {
  co_await connection_->write_message(std::move(message), limits::frame_time);
}

void Session::send(MessageBuffer message) {
  if (++sends_in_flight_ > most_sends_in_flight) return close();
  asio::co_spawn(
      parts_.context,
      [self = shared_from_this(), message = std::move(message)]() mutable {
        return self->write(std::move(message));
      },
      [self = shared_from_this()](const std::exception_ptr& failure) {
        --self->sends_in_flight_;
        if (failure) self->close();
      });
}

void Session::task_added(const std::string& task) {
  if (greeted_) send(task_message(task));
}

void Session::work_offered(const std::string& task, const Work& work) {
  send(offer_message(task, work));
}

void Session::work_later(const std::string& task, const Later& later) {
  send(later_message(task, later));
}

void Session::evaluation_offered(const std::string& task, const EvaluationWork& work) {
  send(evaluation_offer_message(task, work));
}

void Session::version_published(const VersionRecord& version) {
  send(version_message(version, takes_differences_));
}

}  // namespace fl::server
