#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "server/aggregation/update_file.h"
#include "server/strategy/exact_fold.h"

namespace fl::server {

/// An update that counts, in the spool.
struct SpooledUpdate {
  std::filesystem::path delta;
  Encoding encoding = Encoding::fp32;
  std::uint32_t weight = 0;
  /// Where its bytes were not hashed since the server started: what they must hash to.
  std::optional<Digest> unverified;
};

/// The fold of a round under way: adds updates to the exact sum in the background, as many in one pass as
/// are there, each range of elements on a worker thread of its own. Reads them in tiles that fit a
/// processor's cache: holds 8 bytes per element of the model and less than 1 MiB per worker, however many
/// updates there are and however large they are (I5).
///
/// Always held by shared_ptr: a pass keeps it alive. Its functions may be called from any thread.
class RoundFold : public std::enable_shared_from_this<RoundFold> {
 public:
  /// Is told, by a worker, how long a pass took.
  using PassObserver = std::function<void(Seconds)>;

  /// `threads` is how many of `workers` one pass may have. What is folded are the last elements of the
  /// updates, from `first` on: buffers alone where a rule makes what it does of the others.
  RoundFold(boost::asio::thread_pool& workers, std::size_t threads, ExactFold sum, std::size_t first = 0,
            PassObserver on_pass = {});
  ~RoundFold();

  /// Returns at once.
  void add(SpooledUpdate update);

  /// Adds no more than what the pass under way does; for a server that is about to end.
  void stop();

  /// Waits until all that was added is in the sum, which stays as it is until more is added. On an executor
  /// of one thread. Throws Error: invalid_data where an update is not the one that was acknowledged, not of
  /// the model's size, or holds an element that no update may hold; as the system fails where one cannot be
  /// read. The fold is then of no use any more. Error(cancelled) after stop().
  boost::asio::awaitable<const ExactFold*> sum();

 private:
  struct OpenUpdate;
  struct Waiter;
  using Strand = boost::asio::strand<boost::asio::thread_pool::executor_type>;

  // On the strand, but for fold_range().
  void begin_pass();
  void open_updates();
  void fold_range(std::size_t first, std::size_t last);
  void end_range(std::exception_ptr failure);
  void tell_if_idle();

  boost::asio::thread_pool& workers_;
  std::size_t threads_;
  ExactFold sum_;
  std::size_t first_;  ///< Of the updates' elements, that is folded.
  Strand strand_;
  std::deque<SpooledUpdate> waiting_;
  std::vector<OpenUpdate> pass_;  ///< What is being added.
  std::size_t ranges_left_ = 0;   ///< Of the pass under way.
  Stopwatch pass_time_;
  PassObserver on_pass_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::exception_ptr failure_;
};

}  // namespace fl::server
