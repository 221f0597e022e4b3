#include "common/serving/batch_queue.h"

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"

using namespace fl;
using namespace fl::serving;
using namespace std::chrono_literals;

namespace {

using Admission = BatchQueue::Admission;
using Tickets = std::vector<BatchQueue::Ticket>;

constexpr BatchQueue::Moment start{};
constexpr BatchQueue::Moment never = BatchQueue::Moment::max();

BatchQueue::Settings settings(std::size_t batch, BatchQueue::Duration delay = {}) {
  BatchQueue::Settings made;
  made.batch = batch;
  made.delay = delay;
  return made;
}

}  // namespace

TEST_CASE("an executor that is free gets the largest batch that waits in the order of arrival") {
  BatchQueue queue(settings(8));
  for (BatchQueue::Ticket ticket = 1; ticket <= 3; ++ticket)
    CHECK(queue.add(ticket, {3, 0}, never, start) == Admission::waits);
  CHECK(queue.waiting_examples() == 9);
  CHECK(queue.take(start).run == Tickets{1, 2});
  CHECK(queue.take(start).run == Tickets{3});
  CHECK(queue.take(start).run.empty());
}

TEST_CASE("a request larger than a batch runs alone") {
  BatchQueue queue(settings(8));
  queue.add(1, {100, 0}, never, start);
  queue.add(2, {1, 0}, never, start);
  CHECK(queue.take(start).run == Tickets{1});
  CHECK(queue.take(start).run == Tickets{2});
}

TEST_CASE("a full queue refuses and a large request is taken where nothing waits") {
  BatchQueue::Settings small = settings(4);
  small.most_examples = 10;
  BatchQueue queue(small);
  CHECK(queue.add(1, {50, 0}, never, start) == Admission::waits);
  CHECK(queue.add(2, {1, 0}, never, start) == Admission::full);
  CHECK(queue.take(start).run == Tickets{1});
  CHECK(queue.add(3, {10, 0}, never, start) == Admission::waits);
  CHECK(queue.add(4, {1, 0}, never, start) == Admission::full);
}

TEST_CASE("a batch that is not full waits for its delay and no longer") {
  BatchQueue queue(settings(4, 10ms));
  CHECK_FALSE(queue.next_look());
  queue.add(1, {1, 0}, never, start);
  CHECK(queue.take(start + 9ms).run.empty());
  CHECK(queue.next_look() == start + 10ms);
  queue.add(2, {1, 0}, never, start + 9ms);
  CHECK(queue.take(start + 10ms).run == Tickets{1, 2});
  queue.add(3, {4, 0}, never, start + 20ms);
  CHECK(queue.take(start + 20ms).run == Tickets{3});
}

TEST_CASE("requests that hold more bytes than may wait are refused") {
  BatchQueue::Settings small = settings(4);
  small.most_bytes = 100;
  BatchQueue queue(small);
  CHECK(queue.add(1, {1, 500}, never, start) == Admission::waits);
  CHECK(queue.add(2, {1, 1}, never, start) == Admission::full);
  CHECK(queue.take(start).run == Tickets{1});
  CHECK(queue.add(3, {1, 60}, never, start) == Admission::waits);
  CHECK(queue.add(4, {1, 40}, never, start) == Admission::waits);
  CHECK(queue.add(5, {1, 1}, never, start) == Admission::full);
}

TEST_CASE("a batch that is not full runs early enough for its deadlines") {
  BatchQueue queue(settings(4, 10ms));
  queue.add(1, {4, 0}, never, start);
  queue.take(start);
  queue.ended(4, 2ms);
  CHECK(queue.add(2, {1, 0}, start + 5ms, start) == Admission::waits);
  CHECK(queue.next_look() == start + 3ms);
  CHECK(queue.take(start + 2ms).run.empty());
  CHECK(queue.take(start + 3ms).run == Tickets{2});
}

TEST_CASE("behind a busy executor what would be late is refused and what has waited too long is not run") {
  BatchQueue queue(settings(4));
  queue.add(1, {4, 0}, never, start);
  queue.take(start);
  queue.ended(4, 10ms);
  queue.add(2, {4, 0}, never, start);
  CHECK(queue.take(start).run == Tickets{2});
  CHECK(queue.add(3, {4, 0}, start + 20ms, start) == Admission::waits);
  CHECK(queue.add(4, {1, 0}, start + 29ms, start) == Admission::late);
  CHECK(queue.add(5, {1, 0}, start + 30ms, start) == Admission::waits);
  queue.ended(4, 10ms);
  const BatchQueue::Batch batch = queue.take(start + 21ms);
  CHECK(batch.late == Tickets{3});
  CHECK(batch.run == Tickets{5});
}

TEST_CASE("after one slow batch requests are taken again as soon as an executor is free") {
  BatchQueue queue(settings(4));
  queue.add(1, {1, 0}, never, start);
  queue.take(start);
  queue.ended(1, 3s);
  CHECK(queue.add(2, {1, 0}, start + 1s, start) == Admission::waits);
  CHECK(queue.take(start).run == Tickets{2});
  CHECK(queue.add(3, {1, 0}, start + 1s, start) == Admission::late);
  queue.ended(1, 1ms);
  CHECK(queue.add(4, {1, 0}, start + 1s, start) == Admission::waits);
}

TEST_CASE("what executors that are free run at once is never refused as late") {
  BatchQueue::Settings two = settings(4);
  two.executors = 2;
  BatchQueue queue(two);
  queue.add(1, {1, 0}, never, start);
  queue.take(start);
  queue.ended(1, 3s);
  CHECK(queue.add(2, {2, 0}, start + 1s, start) == Admission::waits);
  CHECK(queue.add(3, {2, 0}, start + 1s, start) == Admission::waits);
  CHECK(queue.add(4, {4, 0}, start + 1s, start) == Admission::waits);
  CHECK(queue.add(5, {1, 0}, start + 1s, start) == Admission::late);
}

TEST_CASE("those whose deadlines have passed are found wherever they wait") {
  BatchQueue queue(settings(4));
  CHECK_FALSE(queue.first_deadline());
  queue.add(1, {1, 10}, start + 3s, start);
  queue.add(2, {2, 10}, start + 1s, start);
  queue.add(3, {3, 10}, start + 2s, start);
  CHECK(queue.first_deadline() == start + 1s);
  CHECK(queue.take_late(start + 1s).empty());
  CHECK(queue.take_late(start + 2s + 1ns) == Tickets{2, 3});
  CHECK(queue.waiting_examples() == 1);
  CHECK(queue.first_deadline() == start + 3s);
  CHECK(queue.take(start).run == Tickets{1});
}

TEST_CASE("a large request counts as the batches that it is and one that failed not at all") {
  BatchQueue queue(settings(4));
  queue.add(1, {40, 0}, never, start);
  queue.take(start);
  queue.ended(40, 100ms);
  queue.add(2, {4, 0}, never, start);
  queue.take(start);
  queue.ended(4, std::nullopt);
  queue.add(3, {4, 0}, never, start);
  queue.take(start);
  CHECK(queue.add(4, {4, 0}, start + 19ms, start) == Admission::late);
  CHECK(queue.add(5, {4, 0}, start + 20ms, start) == Admission::waits);
}

TEST_CASE("two executors halve what is expected of the queue") {
  BatchQueue::Settings two = settings(4);
  two.executors = 2;
  BatchQueue queue(two);
  for (BatchQueue::Ticket ticket = 1; ticket <= 3; ++ticket) {
    queue.add(ticket, {4, 0}, never, start);
    queue.take(start);
    if (ticket == 1) queue.ended(4, 10ms);
  }
  CHECK(queue.add(4, {4, 0}, start + 20ms, start) == Admission::waits);
  CHECK(queue.add(5, {4, 0}, start + 20ms, start) == Admission::waits);
  CHECK(queue.add(6, {4, 0}, start + 20ms, start) == Admission::late);
}

TEST_CASE("settings that run nothing are refused (I9)") {
  BatchQueue::Settings none = settings(0);
  CHECK_THROWS_AS(BatchQueue{none}, Error);
  none = settings(1);
  none.executors = 0;
  CHECK_THROWS_AS(BatchQueue{none}, Error);
}

TEST_CASE("whatever comes each request runs once or is late once and examples are counted right") {
  Random random(5);
  BatchQueue queue(settings(16, 3ms));
  std::map<BatchQueue::Ticket, int> seen;
  std::map<BatchQueue::Ticket, std::size_t> waiting;
  BatchQueue::Moment now = start;
  const auto check_batch = [&](const BatchQueue::Batch& batch) {
    std::size_t examples = 0;
    for (const BatchQueue::Ticket ticket : batch.run) examples += waiting.at(ticket);
    CHECK((examples <= 16 || batch.run.size() == 1));
    CHECK(std::is_sorted(batch.run.begin(), batch.run.end()));
    for (const Tickets* const tickets : {&batch.run, &batch.late}) {
      for (const BatchQueue::Ticket ticket : *tickets) {
        ++seen[ticket];
        waiting.erase(ticket);
      }
    }
  };
  for (BatchQueue::Ticket ticket = 0; ticket < 20'000; ++ticket) {
    now += std::chrono::microseconds(random.below(2000));
    const std::size_t examples = 1 + random.below(24);
    if (queue.add(ticket, {examples, 0}, now + std::chrono::milliseconds(random.below(40)), now) ==
        Admission::waits)
      waiting[ticket] = examples;
    if (random.below(3) == 0) {
      const BatchQueue::Batch batch = queue.take(now);
      check_batch(batch);
      if (!batch.run.empty()) queue.ended(4, std::chrono::microseconds(random.below(5000)));
    }
    std::size_t sum = 0;
    for (const auto& [waits, count] : waiting) sum += count;
    CHECK(queue.waiting_examples() == sum);
  }
  while (!queue.empty()) check_batch(queue.take(now += 1s));
  CHECK(waiting.empty());
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& each) { return each.second == 1; }));
}
