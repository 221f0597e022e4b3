#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace fl::serving {

/// The requests that wait for one model version, and what of them runs next: when an executor is free it
/// gets the largest batch that waits, without an artificial delay unless one is set. What is expected to be
/// answered too late is refused at once, but never while an executor is free, so that one slow batch does not
/// have everything refused after it. Pure: time comes from the caller, one thread at a time.
class BatchQueue {
 public:
  using Clock = std::chrono::steady_clock;
  using Moment = Clock::time_point;
  using Duration = Clock::duration;
  /// The caller's number for a request.
  using Ticket = std::uint64_t;

  struct Settings {
    std::size_t most_examples = 8192;                  ///< That wait; a request beyond them is refused.
    std::size_t most_bytes = std::size_t{128} << 20U;  ///< The same of what they hold.
    std::size_t batch = 64;     ///< Examples run at once. A request of more runs alone.
    Duration delay{};           ///< How long a batch that is not full waits for more, deadlines permitting.
    std::size_t executors = 1;  ///< How many batches run at a time.
  };
  enum class Admission : std::uint8_t {
    waits,
    full,  ///< The queue is.
    late,  ///< With what runs and waits before it, it would be answered after its deadline.
  };
  /// What an executor is to do.
  struct Batch {
    std::vector<Ticket> run;   ///< In the order in which they came; empty: nothing yet.
    std::vector<Ticket> late;  ///< Their deadlines have passed.
  };

  /// What a request weighs.
  struct Size {
    std::size_t examples = 1;
    std::size_t bytes = 0;
  };

  /// Throws Error(invalid_argument) where a batch has no examples or there are no executors.
  explicit BatchQueue(const Settings& settings);

  Admission add(Ticket ticket, const Size& size, Moment deadline, Moment now);
  /// For an executor that is free. What it gives waits no more; where it gives something to run, the executor
  /// is busy until ended().
  Batch take(Moment now);
  /// When take() gives something; nothing where nothing waits.
  std::optional<Moment> next_look() const;
  /// A batch of so many examples has ended, after so long: what is expected of those to come. Without a time
  /// where it failed, which tells nothing of them.
  void ended(std::size_t examples, std::optional<Duration> time);
  /// The first deadline of those that wait; nothing where nothing does.
  std::optional<Moment> first_deadline() const;
  /// Those whose deadlines have passed; they wait no more.
  std::vector<Ticket> take_late(Moment now);

  std::size_t waiting_examples() const { return waiting_; }
  bool empty() const { return queue_.empty(); }

 private:
  struct Request {
    Ticket ticket = 0;
    Size size;
    Moment deadline;
    Moment came;
  };

  std::size_t batches_of(std::size_t examples) const;
  /// When what waits is to run, though it fills no batch.
  Moment due() const;
  void remove(const std::deque<Request>::const_iterator& request);

  Settings settings_;
  std::deque<Request> queue_;
  std::size_t waiting_ = 0;  ///< Examples.
  std::size_t waiting_bytes_ = 0;
  std::size_t running_ = 0;             ///< Batches.
  std::optional<Duration> batch_time_;  ///< A moving mean.
};

}  // namespace fl::serving
