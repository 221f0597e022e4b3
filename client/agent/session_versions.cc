// The half of a session that is about versions: fetching, trying and adopting them.

#include <string>
#include <utility>

#include "client/agent/describe.h"
#include "client/agent/session.h"
#include "common/base/error.h"
#include "common/net/run_on.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

using boost::asio::awaitable;
using Kind = AgentEvent::Kind;

std::string name_of(const Manifest& manifest) {
  return "version " + std::to_string(manifest.version) + " of " + manifest.task;
}

void require_announced(const Manifest& manifest, const Notice& notice) {
  if (manifest.version == notice.version && manifest.task == notice.task) return;
  throw Error(ErrorCode::invalid_data, "its manifest is that of " + name_of(manifest));
}

void require_transferable(const Manifest& manifest) {
  if (manifest.archive_bytes <= limits::transfer_bytes &&
      manifest.weights_count <= limits::transfer_bytes / sizeof(float)) {
    return;
  }
  throw Error(ErrorCode::resource_exhausted, name_of(manifest) + " is larger than a transfer may be");
}

/// Whether a trial failed for what the version is, and would anywhere, not for want of memory or disk here.
bool is_fault_of_version(const Error& error) {
  return error.code() == ErrorCode::invalid_data || error.code() == ErrorCode::invalid_argument;
}

}  // namespace

/// Of a notice that the federation has not signed not even the number is believed: it would keep genuine
/// versions out.
void Session::take_notice(const Notice& notice) {
  try {
    require_announced(verify(notice.manifest, context_.parts.home.settings().signing_key), notice);
  } catch (const Error& error) {
    refuse(notice, error.what());
    return;
  }
  context_.agenda.noticed(notice);
  if (context_.agenda.training_is_void()) context_.trainer.cancel();
}

awaitable<void> Session::adopt(std::string task) {
  const Notice notice = context_.agenda.take_notice(task);
  const std::shared_ptr<ModelStore> store = context_.parts.models.find_or_make(task);
  std::optional<Manifest> manifest;
  try {
    manifest = store->check(notice.manifest);
    require_transferable(*manifest);
  } catch (const Error& error) {
    manifest.reset();
    context_.agenda.refused(task, notice.version);
    refuse(notice, error.what());
  }
  if (!manifest) co_return;
  if (co_await fetch_parts(store, notice, *manifest)) co_await try_and_adopt(store, notice, *manifest);
}

/// Whether they are there now; not where a newer version has come and the server has not this one's any more.
awaitable<bool> Session::fetch_parts(std::shared_ptr<ModelStore> store, Notice notice, Manifest manifest) {
  try {
    co_await fetch_part(*store, manifest, manifest.archive_hash, manifest.archive_bytes);
    co_await rebuild_weights(store, notice, manifest);
    co_await fetch_part(*store, manifest, manifest.weights_hash, manifest.weights_count * sizeof(float));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found || !context_.agenda.has_notice(manifest.task)) throw;
    co_return false;
  }
  co_return true;
}

/// Whether the control variate that the task's offer names is here; where it was not, the agenda is to be
/// asked again once it has been fetched, as that takes time.
awaitable<bool> Session::has_control(std::string task) {
  const Offer offer = context_.agenda.offer_of(task);
  const std::shared_ptr<ModelStore> store = context_.parts.models.find(task);
  const std::optional<StoredVersion> champion = store ? store->champion() : std::nullopt;
  if (!offer.control || !champion || store->has_part(*offer.control)) co_return true;
  if (offer.control_elements > champion->manifest.weights_count) {
    context_.agenda.forget_offer(task);
    context_.agenda.declined({task, offer.round, "its control variate is longer than the model"});
    co_return false;
  }
  bool gone = false;
  try {
    co_await fetch_part(*store, champion->manifest, *offer.control, offer.control_elements * sizeof(float));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    gone = true;
  }
  if (gone) {  // with its version: there will be other work
    context_.agenda.forget_offer(task);
    context_.agenda.told_to_wait(task, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  }
  co_return false;
}

awaitable<void> Session::fetch_part(ModelStore& store, const Manifest& manifest, Digest hash,
                                    std::uint64_t bytes) {
  if (store.has_part(hash)) co_return;
  PartFile part = store.begin_part(hash, bytes);
  Moment due = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  const auto report = [&] {
    if (std::chrono::steady_clock::now() < due) return;
    due = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    tell(Kind::fetching, manifest.task,
         name_of(manifest) + ": fetched " + short_bytes(part.offset()) + " of " + short_bytes(part.bytes()));
  };
  if (!part.complete()) co_await link_->fetch(hash, part, report);
  part.finish();
}

awaitable<void> Session::try_and_adopt(std::shared_ptr<ModelStore> store, Notice notice, Manifest manifest) {
  TriedVersion tried;
  std::string fault;
  try {
    auto trial = [&] {
      return try_version(*context_.parts.engine(), *store, manifest, context_.parts.examples, context_.stop);
    };
    tried = co_await net::run_on(context_.workers.get_executor(), std::move(trial));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    // What was fetched stays, and the next connection tries it again.
    if (!is_fault_of_version(error)) throw error.within(name_of(manifest) + " could not be tried");
    fault = error.what();
  }
  const std::optional<StoredVersion> champion = store->champion();
  if (fault.empty() &&
      judge(tried.evaluation, champion ? champion->evaluation : std::nullopt) == Verdict::reject) {
    fault = "it does worse than the one that serves, with " + describe(tried.evaluation);
  }
  if (fault.empty()) {
    put_to_use(*store, notice, manifest, std::move(tried));
  } else {
    store->discard(manifest);
    context_.agenda.refused(manifest.task, manifest.version);
    refuse(notice, fault);
  }
}

void Session::put_to_use(ModelStore& store, const Notice& notice, const Manifest& manifest,
                         TriedVersion tried) {
  const std::optional<StoredVersion> champion = store.champion();
  store.adopt(notice.manifest, tried.evaluation);
  context_.agenda.adopted(manifest.task, manifest.version);
  const std::string how = tried.untested.empty() ? describe(tried.evaluation)
                                                 : "not tested on the held-out examples: " + tried.untested;
  if (context_.parts.on_adopted) {
    context_.parts.on_adopted(
        {manifest, std::move(tried.model), tried.evaluation, champion ? champion->manifest.version : 0});
  }
  tell(Kind::version_adopted, manifest.task, name_of(manifest) + " serves now: " + how);
}

void Session::refuse(const Notice& notice, const std::string& why) {
  const std::string sentence =
      "version " + std::to_string(notice.version) + " of " + notice.task + " is not adopted: " + why;
  if (purpose_ == Purpose::fetch_newest) refusals_.push_back(sentence);
  tell(Kind::version_refused, notice.task, sentence);
}

}  // namespace fl::client
