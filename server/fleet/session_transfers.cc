// The half of a session that moves bulk bytes: parts of a model to the device, updates from it.

#include <algorithm>
#include <fcntl.h>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "common/net/run_on.h"
#include "protocol/compression.h"
#include "protocol/limits.h"
#include "server/fleet/session.h"
#include "server/fleet/violation.h"

namespace fl::server {

namespace asio = boost::asio;
using wire::RefusalCode;

namespace {

constexpr const char* round_closed = "the round closed";

// A connection whose device has come by another lets go of its update once the disk has its last chunk.
constexpr int held_tries = 50;
constexpr std::chrono::milliseconds held_pause{100};

}  // namespace

Session::OwnedPart Session::find_part(ByteView hash) const {
  if (hash.size() != sizeof(Digest)) return {};
  for (const std::string& name : subscribed_) {
    const auto task = parts_.tasks.find(name);
    const std::optional<Part> part = task ? task->part(Digest::from_bytes(hash)) : std::nullopt;
    if (part) return {task, *part};
  }
  return {};
}

asio::awaitable<void> Session::on(const wire::Fetch& message) {
  const ByteView named = wire::bytes_of(message.hash());
  const Bytes hash(named.begin(), named.end());
  const std::uint64_t offset = message.offset();
  std::optional<TransferSlots::Slot> slot;
  OwnedPart found = find_part(hash);
  if (found.owner) {
    slot.emplace(co_await wait_for_slot());
    found = find_part(hash);  // a newer version may have come meanwhile, and this one gone
  }
  if (!found.owner || offset > found.part.length) {
    co_await refuse(RefusalCode::not_found, "no task you subscribe to has such a part now");
    co_return;
  }
  co_await send_part(found.part, offset, found.owner->metrics());
}

asio::awaitable<void> Session::send_part(const Part& part, std::uint64_t offset, TaskMetrics& metrics) {
  const Stopwatch stopwatch;
  const std::uint64_t from = offset;
  const FileDescriptor file = open_file(part.path, O_RDONLY);
  co_await write(transfer_message(part.length, offset));
  Bytes chunk(std::min<std::uint64_t>(limits::sent_chunk_bytes, part.length - offset));
  while (offset < part.length) {
    const auto piece = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), part.length - offset));
    const std::function<void()> read = [&] { read_at(file, offset, piece, part.path); };
    co_await net::run_on(parts_.workers.transfers.get_executor(), read);
    co_await connection_->write_chunk(piece, limits::frame_time);
    offset += piece.size();
    metrics.transferred(part.kind, piece.size());
    make_way(offset - from, stopwatch);
  }
  metrics.transfer_took(part.kind, stopwatch.passed());
}

void Session::make_way(std::uint64_t moved, const Stopwatch& since) const {
  if (!parts_.slots.should_make_way(moved, since.passed())) return;
  throw Error(ErrorCode::timeout, "its transfer was slow while others waited; it may go on with it later");
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
  if (verdict.outcome == wire::Outcome::accepted) {
    runner.metrics().update(outcome);
    parts_.log->info(fmt::format("task={} round={} device={}: update accepted, {} examples", runner.name(),
                                 update.round, device_, update.record.examples));
  } else if (verdict.outcome == wire::Outcome::already_accepted) {
    runner.metrics().update(outcome);
    parts_.refusals.log(device_, fmt::format("task={} round={} device={}: update accepted before",
                                             runner.name(), update.round, device_));
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
  const TaskRunner::Kept kept(runner, update);
  UpdateCheck check = runner.check_of(update.record.encoding);
  std::optional<IncomingUpdate> incoming;
  std::string failure = co_await receive_bytes(runner, update, check, incoming);
  if (failure.empty()) {
    try {
      co_return co_await runner.take(update, *std::move(incoming), check);
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
                                                    UpdateCheck& check,
                                                    std::optional<IncomingUpdate>& incoming) {
  const std::function<bool()> wanted = [&] {
    return runner.judge(update).outcome == wire::Outcome::accepted;
  };
  std::optional<TransferSlots::Slot> slot;
  for (int tries_left = held_tries; !incoming; --tries_left) {
    slot.emplace(co_await wait_for_slot());
    if (!wanted()) co_return round_closed;
    try {
      incoming = co_await open_update(runner, update, check);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::failed_precondition || tries_left == 0) co_return error.what();
    }
    if (!incoming) {
      slot.reset();
      co_await pause(held_pause);
    }
  }
  if (!wanted()) co_return round_closed;
  connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  const bool compressed = compresses_ && runner.compression() == Compression::zstd;
  co_await write(go_message(incoming->offset(), compressed));
  const Transfer kind = transfer_of(update.record.encoding);
  const Stopwatch stopwatch;
  std::string failure = co_await receive_chunks(*incoming, wanted, runner.metrics(), kind, compressed);
  runner.metrics().transfer_took(kind, stopwatch.passed());
  connection_->set_limits(limits::message_bytes, 0);
  co_return failure;
}

asio::awaitable<IncomingUpdate> Session::open_update(const TaskRunner& runner, const Announcement& update,
                                                     UpdateCheck& check) {
  const std::uint64_t round = runner.spool_round(update.round);
  const auto look_at = [&check](ByteView bytes) { check.look_at(bytes); };
  const auto open = [&] {  // which reads what is there already
    return parts_.spool.receive(runner.name(), round, device_, update.hash, update.length, look_at);
  };
  co_return co_await net::run_on(parts_.workers.transfers.get_executor(), open);
}

asio::awaitable<void> Session::pause(std::chrono::milliseconds time) {
  boost::system::error_code cancelled;
  pace_timer_.expires_after(time);
  co_await pace_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  if (closed_) throw Error(ErrorCode::cancelled, "the connection ended while it waited");
}

// Elsewhere, so that the bytes of others are decrypted while these are hashed, and none wait for the disk.
asio::awaitable<std::string> Session::append(IncomingUpdate& incoming, ByteView chunk) {
  const auto keep = [&]() -> std::string {
    try {
      incoming.append(chunk);
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  };
  co_return co_await net::run_on(parts_.workers.transfers.get_executor(), keep);
}

asio::awaitable<std::string> Session::receive_chunks(IncomingUpdate& incoming,
                                                     const std::function<bool()>& wanted,
                                                     TaskMetrics& metrics, Transfer kind, bool compressed) {
  std::string failure;
  std::optional<wire::ChunkDecompressor> decompressor;
  if (compressed) decompressor.emplace();
  std::uint64_t left = incoming.length() - incoming.offset();
  const auto deadline = std::chrono::steady_clock::now() + limits::transfer_time(left);
  const Stopwatch stopwatch;
  const std::uint64_t all = left;
  while (left > 0) {
    make_way(all - left, stopwatch);
    const auto time_left = deadline - std::chrono::steady_clock::now();
    const net::Connection::Duration limit = std::clamp<net::Connection::Duration>(
        time_left, net::Connection::Duration::zero(), limits::idle_time);
    const wire::Frame frame = co_await connection_->read_frame(limit);
    ByteView chunk;
    if (frame.kind == wire::FrameKind::chunk) chunk = frame.payload;
    if (frame.kind == wire::FrameKind::compressed_chunk && decompressor) {
      chunk = decompressor->decompress(frame.payload, std::min<std::uint64_t>(left, limits::chunk_bytes));
    }
    if (!chunk.empty() && chunk.size() <= left) {
      left -= chunk.size();
      // With the disk at fault the rest is read all the same, so that both sides agree where they are.
      if (failure.empty() && !wanted()) failure = round_closed;
      if (failure.empty()) {
        failure = co_await append(incoming, chunk);
      } else {  // others have their turn all the same: few bytes may become many
        co_await asio::post(parts_.context, asio::use_awaitable);
      }
      metrics.transferred(kind, frame.payload.size());
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
