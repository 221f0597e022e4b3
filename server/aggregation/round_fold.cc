#include "server/aggregation/round_fold.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/error.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

// Of each update at a time: with eight of them, and the sum, 320 KiB, which a core's own cache holds.
constexpr std::size_t tile_elements = std::size_t{8} << 10U;

}  // namespace

/// With the weight it counts for, as long as a pass takes.
struct RoundFold::OpenUpdate {
  UpdateFile file;
  std::uint32_t weight;
};

RoundFold::RoundFold(asio::thread_pool& workers, std::size_t threads, ExactFold sum, std::size_t first,
                     PassObserver on_pass)
    : workers_(workers),
      threads_(threads),
      sum_(std::move(sum)),
      first_(first),
      strand_(asio::make_strand(workers.get_executor())),
      on_pass_(std::move(on_pass)) {}

RoundFold::~RoundFold() = default;

void RoundFold::add(SpooledUpdate update) {
  asio::post(strand_, [self = shared_from_this(), update = std::move(update)]() mutable {
    self->waiting_.push_back(std::move(update));
    self->begin_pass();
  });
}

void RoundFold::stop() {
  asio::post(strand_, [self = shared_from_this()] {
    if (!self->failure_) {
      self->failure_ = std::make_exception_ptr(Error(ErrorCode::cancelled, "the fold was stopped"));
    }
    self->waiting_.clear();
    self->tell_if_idle();
  });
}

/// A coroutine that waits for the sum, on an executor of one thread. It ends there, since the executor may be
/// gone as soon as the coroutine has been told: who passes it on keeps nothing of it.
struct RoundFold::Waiter {
  explicit Waiter(const asio::any_io_executor& its_executor)
      : executor(its_executor), timer(executor, asio::steady_timer::time_point::max()) {}

  asio::any_io_executor executor;
  asio::steady_timer timer;  // never expires; cancelled once there is nothing left to add
  bool told = false;
  std::exception_ptr failure;
};

asio::awaitable<const ExactFold*> RoundFold::sum() {
  const auto self = shared_from_this();
  const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
  asio::post(strand_, [self, passed_on = waiter]() mutable {
    self->waiters_.push_back(std::move(passed_on));
    self->tell_if_idle();
  });
  while (!waiter->told) {
    boost::system::error_code cancelled;
    co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  if (waiter->failure) std::rethrow_exception(waiter->failure);
  co_return &self->sum_;
}

void RoundFold::tell_if_idle() {
  if (ranges_left_ != 0 || !waiting_.empty()) return;
  for (std::shared_ptr<Waiter>& waiter : waiters_) {
    const asio::any_io_executor executor = waiter->executor;
    asio::post(executor, [told = std::move(waiter), failure = failure_]() mutable {
      told->told = true;
      told->failure = std::move(failure);
      told->timer.cancel();
    });
  }
  waiters_.clear();
}

void RoundFold::begin_pass() {
  if (failure_) waiting_.clear();
  if (ranges_left_ != 0 || waiting_.empty()) return;
  pass_time_ = Stopwatch();
  try {
    open_updates();
  } catch (...) {
    ranges_left_ = 1;
    return end_range(std::current_exception());
  }
  // Whole tiles, so that only the last range has a remainder.
  const std::size_t tiles = (sum_.size() + tile_elements - 1) / tile_elements;
  const std::size_t ranges = std::clamp<std::size_t>(tiles, 1, threads_);
  const std::size_t length = (tiles + ranges - 1) / ranges * tile_elements;
  ranges_left_ = ranges;
  for (std::size_t range = 0; range < ranges; ++range) {
    const std::size_t first = std::min(range * length, sum_.size());
    const std::size_t last = std::min(first + length, sum_.size());
    asio::post(workers_, [self = shared_from_this(), first, last] {
      std::exception_ptr failure;
      try {
        self->fold_range(first, last);
      } catch (...) {
        failure = std::current_exception();
      }
      asio::post(self->strand_,
                 [self, failure = std::move(failure)]() mutable { self->end_range(std::move(failure)); });
    });
  }
}

void RoundFold::open_updates() {
  pass_.clear();
  while (!waiting_.empty() && pass_.size() < widest_pass) {
    SpooledUpdate update = std::move(waiting_.front());
    waiting_.pop_front();
    UpdateFile file(std::move(update.delta), update.encoding, first_ + sum_.size());
    if (update.unverified && file.hash() != *update.unverified) {
      throw Error(
          ErrorCode::invalid_data,
          file.path().string() + " does not hash to what was acknowledged; it was changed on the disk");
    }
    pass_.push_back({std::move(file), update.weight});
  }
}

void RoundFold::fold_range(std::size_t first, std::size_t last) {
  std::vector<float> tiles(pass_.size() * tile_elements);
  std::vector<WeightedDelta> deltas;
  for (const OpenUpdate& update : pass_) {
    deltas.push_back({tiles.data() + deltas.size() * tile_elements, update.weight});
  }
  for (std::size_t at = first; at < last; at += tile_elements) {
    const std::size_t count = std::min(tile_elements, last - at);
    for (std::size_t i = 0; i < pass_.size(); ++i) {
      pass_[i].file.read(first_ + at, std::span(tiles).subspan(i * tile_elements, count));
    }
    if (!sum_.add(at, count, deltas)) {
      throw Error(ErrorCode::invalid_data,
                  "an update that had been checked holds NaN, infinity or more than " +
                      std::to_string(sum_.max_delta()) + " now; it was changed on the disk");
    }
  }
}

void RoundFold::end_range(std::exception_ptr failure) {
  if (failure && !failure_) failure_ = std::move(failure);
  if (--ranges_left_ != 0) return;
  if (!failure_) {
    for (const OpenUpdate& update : pass_) sum_.add_weight(update.weight);
    if (on_pass_) on_pass_(pass_time_.passed());
  }
  pass_.clear();
  begin_pass();
  tell_if_idle();
}

}  // namespace fl::server
