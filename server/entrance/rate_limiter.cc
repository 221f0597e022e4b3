#include "server/entrance/rate_limiter.h"

#include <algorithm>

namespace fl::server {

bool RateLimiter::take(std::string_view key, Moment now) {
  Bucket& bucket = bucket_of(key, now);
  const auto capacity = static_cast<double>(per_minute_);
  const std::chrono::duration<double, std::ratio<60>> minutes = now - bucket.filled;
  bucket.tokens = std::min(capacity, bucket.tokens + capacity * minutes.count());
  bucket.filled = now;
  if (bucket.tokens < 1.0) return false;
  bucket.tokens -= 1.0;
  return true;
}

RateLimiter::Bucket& RateLimiter::bucket_of(std::string_view key, Moment now) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    return buckets_.front();
  }
  if (buckets_.size() >= most_keys_) {
    by_key_.erase(buckets_.back().key);
    buckets_.pop_back();
  }
  buckets_.push_front({std::string(key), static_cast<double>(per_minute_), now});
  by_key_.emplace(buckets_.front().key, buckets_.begin());
  return buckets_.front();
}

}  // namespace fl::server
