#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace fl::serving {

/// The requests that wait for one model version, and what of them runs next: when an executor is free it
/// gets the largest batch that waits, without an artificial delay unless one is set. What could only be
/// answered too late is refused at once. Pure: time comes from the caller, one thread at a time.
class BatchQueue {
 public:
  using Clock = std::chrono::steady_clock;
  using Moment = Clock::time_point;
  using Duration = Clock::duration;
  /// The caller's number for a request.
  using Ticket = std::uint64_t;

  struct Settings {
    std::size_t most_examples = 1024;  ///< That wait; a request beyond them is refused.
    std::size_t batch = 64;            ///< Examples run at once. A request of more runs alone.
    Duration delay{};                  ///< How long a batch that is not full waits for more.
    std::size_t executors = 1;         ///< How many batches run at a time.
  };
  enum class Admission : std::uint8_t {
    waits,
    full,  ///< The queue is.
    late,  ///< With what waits before it, it would be answered after its deadline.
  };
  /// What an executor is to do.
  struct Batch {
    std::vector<Ticket> run;   ///< In the order in which they came; empty: nothing yet.
    std::vector<Ticket> late;  ///< Their deadlines have passed, or would before they are answered.
  };

  BatchQueue() : BatchQueue(Settings()) {}
  explicit BatchQueue(const Settings& settings) : settings_(settings) {}

  Admission add(Ticket ticket, std::size_t examples, Moment deadline, Moment now);
  /// For an executor that is free. What it gives waits no more.
  Batch take(Moment now);
  /// When take() is worth calling again although nothing was added: once the delay of what waits is over.
  std::optional<Moment> next_look() const;
  /// A batch took so long: what is expected of those to come, which deadlines are held against.
  void ran(Duration time);
  /// Forgets a request whose caller is gone; nothing where it does not wait.
  void drop(Ticket ticket);

  std::size_t waiting_examples() const { return waiting_; }
  bool empty() const { return queue_.empty(); }

 private:
  struct Request {
    Ticket ticket;
    std::size_t examples;
    Moment deadline;
    Moment came;
  };

  /// Until a request of so many examples behind `waiting` ones has its answer.
  Duration expected(std::size_t waiting, std::size_t examples) const;

  Settings settings_;
  std::deque<Request> queue_;
  std::size_t waiting_ = 0;
  std::optional<Duration> batch_time_;  ///< A moving mean.
};

}  // namespace fl::serving
