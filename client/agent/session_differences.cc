// The part of a session that spares a device most of a version's bytes: by the difference from the one it
// has.

#include <string>
#include <utility>

#include "client/agent/session.h"
#include "common/base/error.h"
#include "common/net/run_on.h"

namespace fl::client {
namespace {

using boost::asio::awaitable;
using Kind = AgentEvent::Kind;

/// Whether it can be what leads to this version; only its hash tells whether it does.
bool fits(const Difference& difference, const Manifest& manifest) {
  return difference.encoded <= manifest.weights_count &&
         difference.bytes ==
             difference_bytes(difference.encoding, difference.encoded, manifest.weights_count);
}

/// Whether an Error says that the difference is of no use here, and not that nothing would be.
bool is_fault_of_difference(const Error& error) {
  return error.code() == ErrorCode::not_found || error.code() == ErrorCode::invalid_data;
}

}  // namespace

awaitable<void> Session::rebuild_weights(std::shared_ptr<ModelStore> store, Notice notice,
                                         Manifest manifest) {
  if (!notice.difference || !fits(*notice.difference, manifest)) co_return;
  const Difference difference = *notice.difference;
  if (store->has_part(manifest.weights_hash) || !store->has_part(difference.base)) co_return;
  std::string fault;
  try {
    co_await fetch_part(*store, manifest, difference.hash, difference.bytes);
    auto rebuild = [&] { store->rebuild_weights(manifest, difference, context_.stop); };
    co_await net::run_on(context_.workers.get_executor(), std::move(rebuild));
  } catch (const Error& error) {
    if (!is_fault_of_difference(error)) throw;
    fault = error.what();
  }
  if (fault.empty()) co_return;
  store->remove_part(difference.hash);  // and what else was fetched of the version stays
  tell(Kind::fetching, manifest.task,
       "version " + std::to_string(manifest.version) + " of " + manifest.task +
           " is fetched whole, as it cannot be made of the one before it: " + fault);
}

}  // namespace fl::client
