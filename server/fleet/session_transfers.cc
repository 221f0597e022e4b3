// The half of a session that moves bulk bytes: parts of a model to the device, updates from it.

#include <algorithm>
#include <fcntl.h>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "common/net/run_on.h"
#include "protocol/limits.h"
#include "server/fleet/session.h"
#include "server/fleet/violation.h"

namespace fl::server {

namespace asio = boost::asio;
using wire::RefusalCode;

namespace {

constexpr const char* round_closed = "the round closed";

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
  const Announcement update = announcement_from(message, device_);
  Verdict verdict = task->announced(update);
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

}  // namespace fl::server
