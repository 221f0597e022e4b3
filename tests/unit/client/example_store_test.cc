#include "client/store/example_store.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sys/stat.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include "client/store/example_codec.h"
#include "client/store/subset.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/examples.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

/// Adds examples whose first input counts up from 0.
void fill(ExampleStore& store, const std::string& task, int count) {
  int next = 0;
  store.add_all(task, [&]() -> std::optional<Example> {
    if (next == count) return std::nullopt;
    ++next;
    return example_of(static_cast<float>(next - 1), 1.0F, next % 3);
  });
}

std::vector<float> first_inputs(const Examples& examples) {
  std::vector<float> values;
  if (examples.count() == 0) return values;
  const auto all = examples.inputs.front().floats();
  for (std::size_t i = 0; i < examples.count(); ++i) values.push_back(all[i * 2]);
  return values;
}

}  // namespace

TEST_CASE("an example that was added is there after reopening") {
  const TemporaryFolder folder;
  Example example = example_of(1, 2, 1);
  {
    ExampleStore store(folder / "e.db");
    CHECK(store.add("har", example));
  }
  const ExampleStore store(folder / "e.db");
  const Examples all = store.load("har", side_of(example));
  REQUIRE(all.count() == 1);
  CHECK(all.inputs.front().shape == Shape{1, 2});
  CHECK(all.inputs.front().floats()[1] == 2.0F);
  CHECK(all.targets.integers()[0] == 1);
}

TEST_CASE("an example that is there already is kept once") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  CHECK(store.add("har", example_of(1, 2, 1)));
  CHECK_FALSE(store.add("har", example_of(1, 2, 1)));
  CHECK(store.add("har", example_of(1, 2, 0)));
  CHECK(store.add("other", example_of(1, 2, 1)));
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 2);
}

TEST_CASE("about a fifth of the examples is held out and each stays on its side") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 1000);
  const std::uint64_t held_out = store.count("har", Side::held_out);
  CHECK(held_out > 150);
  CHECK(held_out < 250);
  CHECK(held_out + store.count("har", Side::training) == 1000);
  for (const float value : first_inputs(store.load("har", Side::held_out))) {
    CHECK(side_of(example_of(value, 1.0F, 0)) == Side::held_out);
  }
}

TEST_CASE("the side of an example does not depend on its label") {
  for (int i = 0; i < 50; ++i) {
    CHECK(side_of(example_of(static_cast<float>(i), 0, 0)) ==
          side_of(example_of(static_cast<float>(i), 0, 2)));
  }
}

// The sides were computed by an independent program from the format in example_codec.h.
TEST_CASE("the split is the same on every device and in every version of this program") {
  std::string sides;
  for (int i = 0; i < 20; ++i) {
    sides += side_of(example_of(static_cast<float>(i), 1, 0)) == Side::held_out ? 'h' : 't';
  }
  CHECK(sides == "ttthhthttthttttttttt");
}

TEST_CASE("an import that fails keeps none of its examples (I9)") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 3);
  int next = 0;
  CHECK_THROWS_AS(store.add_all("har",
                                [&]() -> std::optional<Example> {
                                  if (++next == 10)
                                    throw Error(ErrorCode::invalid_data, "x.csv:10: no number");
                                  return example_of(static_cast<float>(1000 + next), 0, 0);
                                }),
                  Error);
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 3);
  CHECK(store.add("har", example_of(77, 0, 0)));
}

TEST_CASE("reading goes on while an import is under way") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 10);
  int next = 0;
  store.add_all("har", [&]() -> std::optional<Example> {
    CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 10);
    return ++next == 3 ? std::nullopt : std::optional(example_of(static_cast<float>(500 + next), 0, 0));
  });
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 12);
}

TEST_CASE("examples come in the order in which they were added") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 60);
  const std::vector<float> values = first_inputs(store.load("har", Side::training));
  CHECK(std::is_sorted(values.begin(), values.end()));
}

TEST_CASE("a limited load is a choice that its seed fixes") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 100);
  const auto some = first_inputs(store.load("har", Side::training, 10, 7));
  CHECK(some.size() == 10);
  CHECK(std::is_sorted(some.begin(), some.end()));
  CHECK(some == first_inputs(store.load("har", Side::training, 10, 7)));
  CHECK(some != first_inputs(store.load("har", Side::training, 10, 8)));
  CHECK(first_inputs(store.load("har", Side::training, 1000, 7)).size() ==
        store.count("har", Side::training));
}

TEST_CASE("a choice of examples takes all where there are not more") {
  std::vector<std::size_t> all(5);
  std::iota(all.begin(), all.end(), std::size_t{0});
  CHECK(chosen_examples(5, 5, 1) == all);
  CHECK(chosen_examples(5, 100, 1) == all);
  CHECK(chosen_examples(0, 3, 1).empty());
}

TEST_CASE("batches give every example once and stop when told") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  fill(store, "har", 100);
  std::vector<float> seen;
  store.for_each_batch("har", Side::training, 7, [&](const Examples& batch) {
    CHECK(batch.count() <= 7);
    for (const float value : first_inputs(batch)) seen.push_back(value);
    return true;
  });
  CHECK(seen == first_inputs(store.load("har", Side::training)));
  int batches = 0;
  store.for_each_batch("har", Side::training, 7, [&](const Examples&) { return ++batches < 2; });
  CHECK(batches == 2);
}

TEST_CASE("two stores of one file see what the other added") {
  const TemporaryFolder folder;
  ExampleStore one(folder / "e.db");
  ExampleStore other(folder / "e.db");
  CHECK(one.add("har", example_of(1, 2, 0)));
  CHECK_FALSE(other.add("har", example_of(1, 2, 0)));
}

TEST_CASE("a file that is no example store is an error that names it (I9)") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "e.db", as_bytes(std::string(4096, 'x')));
  ExampleStore store(folder / "e.db");
  CHECK(code_thrown_by([&] { store.count("har", Side::training); }) == ErrorCode::invalid_data);
  CHECK(code_thrown_by([&] { store.add("har", example_of(1, 2, 0)); }) == ErrorCode::invalid_data);
  CHECK(sentence_thrown_by([&] { store.count("har", Side::training); }).find("e.db") != std::string::npos);
}

TEST_CASE("an example store of a newer program is refused and left as it was") {
  const TemporaryFolder folder;
  ExampleStore(folder / "e.db").add("har", example_of(1, 2, 0));
  SQLite::Database(folder / "e.db", SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  ExampleStore store(folder / "e.db");
  CHECK(code_thrown_by([&] { store.count("har", Side::training); }) == ErrorCode::failed_precondition);
  CHECK(code_thrown_by([&] { store.add("har", example_of(3, 4, 0)); }) == ErrorCode::failed_precondition);
}

TEST_CASE("the example store is readable by its owner alone") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  const mode_t before = ::umask(0);
  store.add("har", example_of(1, 2, 0));
  ::umask(before);
  using std::filesystem::perms;
  CHECK(std::filesystem::status(folder / "e.db").permissions() == (perms::owner_read | perms::owner_write));
}

TEST_CASE("a store is made with its first example and not by looking into it") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  CHECK(store.count("har", Side::training) == 0);
  CHECK(store.load("har", Side::training).count() == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "e.db"));
  store.add("har", example_of(1, 2, 0));
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 1);
}

TEST_CASE("examples are counted and read where nothing can be written beside them (I2)") {
  const TemporaryFolder folder;
  {
    ExampleStore store(folder / "e.db");
    fill(store, "har", 30);
  }
  std::filesystem::create_symlink("nowhere/at/all", folder / "e.db-shm");  // where SQLite writes even to read
  ExampleStore store(folder / "e.db");
  const std::uint64_t training = store.count("har", Side::training);
  CHECK(training + store.count("har", Side::held_out) == 30);
  CHECK(store.load("har", Side::training).count() == training);
  CHECK_THROWS_AS(store.add("har", example_of(99, 2, 0)), Error);
  std::filesystem::remove(folder / "e.db-shm");
  CHECK(store.add("har", example_of(99, 2, 0)));
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 31);
}

TEST_CASE("an example that could not be stacked with the task's others is refused and changes nothing (I9)") {
  const TemporaryFolder folder;
  const float values[] = {1, 2, 3};
  Example longer = example_of(1, 2, 0);
  longer.inputs.front() = make_tensor(std::span<const float>(values), {3});
  Example valued = example_of(3, 4, 0);
  valued.target = make_tensor(std::span<const float>(values).first(1), {});
  {
    ExampleStore store(folder / "e.db");
    store.add("har", example_of(1, 2, 0));
    CHECK(code_thrown_by([&] { store.add("har", longer); }) == ErrorCode::invalid_argument);
    CHECK(store.add("other", longer));
  }
  ExampleStore store(folder / "e.db");
  CHECK(code_thrown_by([&] { store.add("har", valued); }) == ErrorCode::invalid_argument);
  const std::string sentence = sentence_thrown_by([&] { store.add("har", longer); });
  CHECK(sentence.find("FP32 [3]") != std::string::npos);
  CHECK(sentence.find("FP32 [2]") != std::string::npos);
  CHECK(store.count("har", Side::training) + store.count("har", Side::held_out) == 1);
}

TEST_CASE("an example whose stored bytes were damaged is an error and no example") {
  const TemporaryFolder folder;
  ExampleStore store(folder / "e.db");
  const Example example = example_of(1, 2, 0);
  store.add("har", example);
  SQLite::Database database(folder / "e.db", SQLite::OPEN_READWRITE);
  for (const char* bytes :
       {"x'07'", "x'FF0101'", "x'0701FFFFFFFFFFFFFFFF'", "x'07010000000000000080'", "x''"}) {
    database.exec(std::string("UPDATE examples SET inputs = ") + bytes + ", target = " + bytes);
    CHECK(code_thrown_by([&] { store.load("har", side_of(example)); }) == ErrorCode::invalid_data);
  }
}

TEST_CASE("tensors of every datatype and rank come back from the codec as they were") {
  const std::vector<Tensor> tensors{{Datatype::int64, {}, Bytes(8)},
                                    {Datatype::fp16, {2, 0, 3}, {}},
                                    {Datatype::boolean, {3}, Bytes(3, std::byte{1})}};
  const std::vector<Tensor> back = decode(encode(tensors));
  REQUIRE(back.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back[i].datatype == tensors[i].datatype);
    CHECK(back[i].shape == tensors[i].shape);
    CHECK(back[i].data == tensors[i].data);
  }
}

TEST_CASE("examples of different shapes do not stack") {
  ExampleStacker stacker(2);
  stacker.add(example_of(1, 2, 0));
  Example other = example_of(1, 2, 0);
  other.inputs.front().shape = {1, 2};
  CHECK_THROWS_AS(stacker.add(other), Error);
  other = example_of(1, 2, 0);
  other.inputs.push_back(other.inputs.front());
  CHECK_THROWS_AS(stacker.add(other), Error);
}
