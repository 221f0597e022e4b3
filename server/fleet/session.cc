#include "server/fleet/session.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "common/net/run_on.h"
#include "protocol/limits.h"

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
constexpr const char* round_closed = "the round closed";

/// What this server can do beyond the protocol's version 1.
constexpr std::array<std::string_view, 0> our_features{};

/// What a peer did that ends its connection, and the code under which it is told.
class Violation : public Error {
 public:
  Violation(RefusalCode code, const std::string& sentence)
      : Violation(code, sentence, wire::EnumNameRefusalCode(code)) {}
  Violation(RefusalCode code, const std::string& sentence, const char* its_reason)
      : Error(ErrorCode::protocol, sentence), refusal(code), reason(its_reason) {}
  RefusalCode refusal;
  const char* reason;  // as the metrics name it
};

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

/// What an operation on the disk failed with; empty where it did not.
template <typename Operation>
std::string failure_of(Operation operation) {
  try {
    operation();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

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
  MessageBuffer answer = message.held_version() < latest.version ? version_message(latest)
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
  task->decline(device_, message.round(), readable(wire::text_of(message.reason())));
}

asio::awaitable<void> Session::on(const wire::Fetch& message) {
  const ByteView hash = wire::bytes_of(message.hash());
  std::optional<Part> part;
  std::shared_ptr<TaskRunner> owner;
  for (const std::string& name : subscribed_) {
    const auto task = parts_.tasks.find(name);
    if (part || !task || hash.size() != sizeof(Digest)) continue;
    part = task->part(Digest::from_bytes(hash));
    owner = task;
  }
  const std::uint64_t offset = message.offset();
  if (!part || offset > part->length) {
    co_await refuse(RefusalCode::not_found, "no task you subscribe to has such a part now");
    co_return;
  }
  const TransferSlots::Slot slot = co_await wait_for_slot();
  co_await send_part(*part, offset, owner->metrics());
}

asio::awaitable<void> Session::send_part(const Part& part, std::uint64_t offset, TaskMetrics& metrics) {
  const Stopwatch stopwatch;
  const FileDescriptor file = open_file(part.path, O_RDONLY);
  co_await write(transfer_message(part.length, offset));
  Bytes chunk(std::min<std::uint64_t>(limits::sent_chunk_bytes, part.length - offset));
  while (offset < part.length) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), part.length - offset);
    read_at(file, offset, std::span(chunk).first(wanted), part.path);
    co_await connection_->write_chunk(ByteView(chunk).first(wanted), limits::frame_time);
    offset += wanted;
    metrics.transferred(part.kind, wanted);
  }
  metrics.transfer_took(part.kind, stopwatch.passed());
}

asio::awaitable<void> Session::on(const wire::UpdateAnnounce& message) {
  const std::string name(wire::text_of(message.task()));
  const auto task = parts_.tasks.find(name);
  if (!task || !subscribed_.contains(name)) {
    const Verdict unknown{wire::Outcome::unknown_task,
                          "there is no task " + in_quotes(name) + " you subscribe to"};
    co_await turn_down(unknown);
    co_return;
  }
  if (wire::bytes_of(message.hash()).size() != sizeof(Digest) ||
      wire::bytes_of(message.layout_hash()).size() != sizeof(Digest)) {
    throw Violation(RefusalCode::malformed, "UpdateAnnounce needs two hashes of 32 bytes");
  }
  if (message.encoding() > wire::Encoding::MAX) {
    const Verdict unknown{wire::Outcome::wrong_encoding, "this server does not know the update's encoding"};
    co_await turn_down(unknown);
    co_return;
  }
  const Announcement update = announcement_from(message, device_);
  Verdict verdict = task->judge(update);
  if (verdict.outcome == wire::Outcome::implausible) task->refuse(update, verdict.sentence);
  if (verdict.outcome == wire::Outcome::accepted) verdict = co_await receive_update(*task, update);
  tell_operator(*task, update, verdict);
  co_await write(reply_message(verdict));
}

asio::awaitable<void> Session::turn_down(Verdict verdict) {
  parts_.refusals.note(Stage::session, wire::EnumNameOutcome(verdict.outcome), device_,
                       fmt::format("device={}: update refused: {}", device_, verdict.sentence));
  co_await write(reply_message(verdict));
}

void Session::tell_operator(const TaskRunner& runner, const Announcement& update, const Verdict& verdict) {
  const std::string outcome = wire::EnumNameOutcome(verdict.outcome);
  if (verdict.outcome == wire::Outcome::accepted || verdict.outcome == wire::Outcome::already_accepted) {
    runner.metrics().update(outcome);
    parts_.log->info(fmt::format(
        "task={} round={} device={}: update {}, {} examples", runner.name(), update.round, device_,
        verdict.outcome == wire::Outcome::accepted ? "accepted" : "accepted before", update.record.examples));
  } else {
    runner.metrics().update("refused", outcome);
    parts_.refusals.log(device_,
                        fmt::format("task={} round={} device={}: update refused, {}: {}", runner.name(),
                                    update.round, device_, outcome, verdict.sentence));
  }
}

asio::awaitable<TransferSlots::Slot> Session::wait_for_slot() {
  std::optional<TransferSlots::Slot> slot = co_await parts_.slots.acquire(this);
  if (!slot) throw Error(ErrorCode::cancelled, "the connection ended while it waited for a transfer");
  co_return *std::move(slot);
}

asio::awaitable<Verdict> Session::receive_update(TaskRunner& runner, const Announcement& update) {
  std::optional<IncomingUpdate> incoming;
  std::string failure = co_await receive_bytes(runner, update, incoming);
  if (failure.empty()) {
    try {
      co_return co_await runner.take(update, *std::move(incoming));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      failure = error.what();
    }
  }
  // A round that closed meanwhile took its spool with it.
  const Verdict verdict = runner.judge(update);
  if (verdict.outcome != wire::Outcome::accepted) co_return verdict;
  parts_.log->error(fmt::format("task={} round={} device={}: the update could not be kept: {}", runner.name(),
                                update.round, device_, failure));
  co_return Verdict{wire::Outcome::server_failure,
                    "the server could not keep the update; send it again later"};
}

asio::awaitable<std::string> Session::receive_bytes(TaskRunner& runner, const Announcement& update,
                                                    std::optional<IncomingUpdate>& incoming) {
  const TransferSlots::Slot slot = co_await wait_for_slot();
  const std::function<bool()> wanted = [&] {
    return runner.judge(update).outcome == wire::Outcome::accepted;
  };
  if (!wanted()) co_return round_closed;
  const auto open = [&] {  // which hashes what is there already
    return std::make_optional(
        parts_.spool.receive(runner.name(), update.round, device_, update.hash, update.length));
  };
  try {
    incoming = co_await net::run_on(parts_.workers.get_executor(), open);
  } catch (const Error& error) {
    co_return error.what();
  }
  if (!wanted()) co_return round_closed;
  connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  co_await write(go_message(incoming->offset()));
  const Transfer kind = transfer_of(update.record.encoding);
  const Stopwatch stopwatch;
  std::string failure = co_await receive_chunks(*incoming, wanted, runner.metrics(), kind);
  runner.metrics().transfer_took(kind, stopwatch.passed());
  connection_->set_limits(limits::message_bytes, 0);
  co_return failure;
}

asio::awaitable<std::string> Session::receive_chunks(IncomingUpdate& incoming,
                                                     const std::function<bool()>& wanted,
                                                     TaskMetrics& metrics, Transfer kind) {
  std::string failure;
  std::uint64_t left = incoming.length() - incoming.offset();
  const auto deadline = std::chrono::steady_clock::now() + limits::transfer_time(left);
  while (left > 0) {
    const auto time_left = deadline - std::chrono::steady_clock::now();
    const net::Connection::Duration limit = std::clamp<net::Connection::Duration>(
        time_left, net::Connection::Duration::zero(), limits::idle_time);
    const wire::Frame frame = co_await connection_->read_frame(limit);
    if (frame.kind == wire::FrameKind::chunk && frame.payload.size() <= left) {
      left -= frame.payload.size();
      metrics.transferred(kind, frame.payload.size());
      // With the disk at fault the rest is read all the same, so that both sides agree where they are.
      if (failure.empty() && !wanted()) failure = round_closed;
      if (failure.empty()) failure = failure_of([&] { incoming.append(frame.payload); });
      continue;
    }
    const wire::Message* message =
        frame.kind == wire::FrameKind::message ? wire::verified_message(frame.payload) : nullptr;
    if (message == nullptr || message->body_as_KeepAlive() == nullptr) {
      throw Violation(RefusalCode::unexpected, "the announced chunks of an update were expected, no more");
    }
  }
  co_return failure;
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

void Session::work_later(const std::string& task, Milliseconds retry_after, const std::string& reason) {
  send(later_message(task, retry_after, reason));
}

void Session::version_published(const VersionRecord& version) {
  send(version_message(version));
}

}  // namespace fl::server
