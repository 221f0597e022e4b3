#include <string>
#include <vector>

#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;
using test::TemporaryFolder;
using test::write;

namespace {

TaskContract contract(const std::string& alphabet, std::int64_t length) {
  TaskContract task;
  task.inputs = {{"x", Datatype::int64, {-1, length}}};
  task.outputs = {{"logits", Datatype::fp32, {-1, static_cast<std::int64_t>(alphabet.size())}}};
  for (const char character : alphabet) task.labels.emplace_back(1, character);
  task.data.format = DataFormat::text;
  task.data.alphabet = alphabet;
  task.data.length = length;
  return task;
}

// "abc>d" for the piece "abc" with the target "d".
std::vector<std::string> pieces(const std::vector<std::filesystem::path>& files, const TaskContract& task) {
  std::vector<std::string> pieces;
  for (const Example& example : read_examples(files, task)) {
    std::string& piece = pieces.emplace_back();
    for (const std::int64_t number : example.inputs.at(0).integers())
      piece += task.labels.at(static_cast<std::size_t>(number));
    piece += ">" + task.labels.at(static_cast<std::size_t>(example.target.integers()[0]));
  }
  return pieces;
}

}  // namespace

TEST_CASE("text is cut into pieces and the character after each") {
  const TemporaryFolder folder;
  const auto task = contract("abcdefgh", 3);
  const auto path = write(folder, "x.txt", "abcdefgh");
  CHECK(pieces({path}, task) == std::vector<std::string>{"abc>d", "def>g"});
  const auto examples = read_examples({path}, task);
  CHECK(examples.at(0).inputs.at(0).shape == Shape{3});
  CHECK(examples[0].target.shape.empty());
  CHECK(pieces({write(folder, "exact.txt", "abcdef")}, task) == std::vector<std::string>{"abc>d"});
  CHECK(pieces({write(folder, "short.txt", "abc")}, task).empty());
  CHECK(pieces({write(folder, "empty.txt", "")}, task).empty());
}

TEST_CASE("characters that the alphabet has not are left out whatever their encoding") {
  const TemporaryFolder folder;
  const auto task = contract("dcba", 2);
  const std::string text("a\xc3\xa4\r\nb\0c\xff-dAa", 13);
  CHECK(pieces({write(folder, "x.txt", text)}, task) == std::vector<std::string>{"ab>c", "cd>a"});
}

TEST_CASE("a piece lies within one file") {
  const TemporaryFolder folder;
  const auto task = contract("abc", 2);
  CHECK(pieces({write(folder, "1.txt", "abca"), write(folder, "2.txt", "cab")}, task) ==
        std::vector<std::string>{"ab>c", "ca>b"});
}

TEST_CASE("text longer than the blocks it is read in stays in order") {
  const TemporaryFolder folder;
  const std::string alphabet = "abcdefghijklmnopqrstuvwxyz";
  const auto task = contract(alphabet, 7);
  std::string text;
  for (std::size_t i = 0; i < 150'000; ++i) text += alphabet[i * i % 26];
  const auto found = pieces({write(folder, "x.txt", text)}, task);
  REQUIRE(found.size() == (text.size() - 1) / 7);
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == text.substr(7 * i, 7) + ">" + text[7 * i + 7]);
}
