#include "common/serving/batch_queue.h"

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

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
    CHECK(queue.add(ticket, 3, never, start) == Admission::waits);
  CHECK(queue.waiting_examples() == 9);
  CHECK(queue.take(start).run == Tickets{1, 2});
  CHECK(queue.take(start).run == Tickets{3});
  CHECK(queue.take(start).run.empty());
}

TEST_CASE("a request larger than a batch runs alone") {
  BatchQueue queue(settings(8));
  queue.add(1, 100, never, start);
  queue.add(2, 1, never, start);
  CHECK(queue.take(start).run == Tickets{1});
  CHECK(queue.take(start).run == Tickets{2});
}

TEST_CASE("a full queue refuses and a large request is taken where nothing waits") {
  BatchQueue::Settings small = settings(4);
  small.most_examples = 10;
  BatchQueue queue(small);
  CHECK(queue.add(1, 50, never, start) == Admission::waits);
  CHECK(queue.add(2, 1, never, start) == Admission::full);
  CHECK(queue.take(start).run == Tickets{1});
  CHECK(queue.add(3, 10, never, start) == Admission::waits);
  CHECK(queue.add(4, 1, never, start) == Admission::full);
}

TEST_CASE("a batch that is not full waits for its delay and no longer") {
  BatchQueue queue(settings(4, 10ms));
  CHECK_FALSE(queue.next_look());
  queue.add(1, 1, never, start);
  CHECK(queue.take(start + 9ms).run.empty());
  CHECK(queue.next_look() == start + 10ms);
  queue.add(2, 1, never, start + 9ms);
  CHECK(queue.take(start + 10ms).run == Tickets{1, 2});
  queue.add(3, 4, never, start + 20ms);
  CHECK(queue.take(start + 20ms).run == Tickets{3});
}

TEST_CASE(
    "what would be answered after its deadline is refused at once and what has waited too long is not run") {
  BatchQueue queue(settings(4));
  queue.ran(10ms);
  CHECK(queue.add(1, 4, start + 10ms, start) == Admission::waits);
  CHECK(queue.add(2, 1, start + 19ms, start) == Admission::late);
  CHECK(queue.add(3, 1, start + 20ms, start) == Admission::waits);
  const BatchQueue::Batch batch = queue.take(start + 11ms);
  CHECK(batch.late == Tickets{1, 3});
  CHECK(batch.run.empty());
  CHECK(queue.empty());
  CHECK(queue.waiting_examples() == 0);
}

TEST_CASE("two executors halve what is expected of the queue") {
  BatchQueue::Settings two = settings(4);
  two.executors = 2;
  BatchQueue queue(two);
  queue.ran(10ms);
  CHECK(queue.add(1, 4, start + 10ms, start) == Admission::waits);
  CHECK(queue.add(2, 4, start + 10ms, start) == Admission::waits);
  CHECK(queue.add(3, 4, start + 10ms, start) == Admission::late);
}

TEST_CASE("a request whose caller is gone is forgotten") {
  BatchQueue queue(settings(8));
  queue.add(1, 2, never, start);
  queue.add(2, 3, never, start);
  queue.drop(1);
  queue.drop(7);
  CHECK(queue.waiting_examples() == 3);
  CHECK(queue.take(start).run == Tickets{2});
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
    if (queue.add(ticket, examples, now + std::chrono::milliseconds(random.below(40)), now) ==
        Admission::waits)
      waiting[ticket] = examples;
    if (random.below(3) == 0) {
      check_batch(queue.take(now));
      queue.ran(std::chrono::microseconds(random.below(5000)));
    }
    std::size_t sum = 0;
    for (const auto& [waits, count] : waiting) sum += count;
    CHECK(queue.waiting_examples() == sum);
  }
  while (!queue.empty()) check_batch(queue.take(now += 1s));
  CHECK(waiting.empty());
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& each) { return each.second == 1; }));
}
