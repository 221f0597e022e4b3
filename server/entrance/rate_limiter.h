#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>

namespace fl::server {

/// How often something may be done by each of many: a token bucket for every key, which holds a minute's
/// worth. Remembers a bounded number of keys, those that came last; what is forgotten begins with a full
/// bucket. Pure: told the time, which does not go back. One thread at a time.
class RateLimiter {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  RateLimiter(std::size_t per_minute, std::size_t most_keys)
      : per_minute_(per_minute), most_keys_(most_keys) {}

  /// Whether it may be done now; counts only where it may.
  bool take(std::string_view key, Moment now);

  std::size_t keys() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::string key;
    double tokens = 0.0;
    Moment filled;
  };

  Bucket& bucket_of(std::string_view key, Moment now);

  std::size_t per_minute_;
  std::size_t most_keys_;
  std::list<Bucket> buckets_;                                       // the one that came last at the front
  std::map<std::string_view, std::list<Bucket>::iterator> by_key_;  // views of the buckets' keys
};

}  // namespace fl::server
