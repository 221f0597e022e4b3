#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/serving/inference_service.h"
#include "server/entrance/rate_limiter.h"
#include "server/ledger/records.h"

namespace fl::server {

/// The keys that are good now, and how often each was shown. Any thread.
class KeyRing {
 public:
  /// From now on these. Those that stay keep their count.
  void replace(const std::vector<InferenceKeyRecord>& keys);

  enum class Answer : std::uint8_t { granted, unknown, other_task, too_often };
  /// Whether who shows `key` may ask for this task's model, or for what belongs to no task where it is empty.
  /// Where `counts`, it is one of the requests that the key is good for in a minute.
  Answer ask(std::string_view key, const std::string& task, bool counts);

 private:
  struct Held {
    InferenceKeyRecord record;
    RateLimiter rate;
  };

  std::mutex mutex_;  // guards what follows
  std::map<Digest, Held> keys_;
};

/// Who may ask at the server: who shows one of the operator's keys, as "Authorization: Bearer KEY" (401
/// otherwise), for the tasks that it is for (403) and not more often than it is good for (429). Health needs
/// no key.
class KeyDoorkeeper final : public serving::Doorkeeper {
 public:
  explicit KeyDoorkeeper(std::shared_ptr<KeyRing> keys) : keys_(std::move(keys)) {}

  std::optional<net::HttpResponse> refusal(const net::HttpRequest& head,
                                           const serving::RouteResult& route) override;
  net::HttpFields fields(const net::HttpRequest& /*head*/) override { return {}; }

 private:
  const std::shared_ptr<KeyRing> keys_;
};

}  // namespace fl::server
