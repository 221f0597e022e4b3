#include <csignal>
#include <cstdlib>
#include <functional>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "tests/e2e/federation.h"

using namespace fl::test;

namespace {

using Files = std::vector<std::string>;
/// Writes what a device learns from to a folder, or what it is tested on; the files are given to the
/// programs.
using Writer = std::function<Files(const std::filesystem::path& folder, bool test)>;

/// What one device answers rightly after one round of a task of this data.
double accuracy_after_a_round(const std::string& model, const std::string& data, const Writer& write) {
  Federation::Settings settings;
  settings.devices = 1;
  settings.rounds = 1;
  settings.model = model;
  settings.data = data;
  settings.more = "[train]\noptimizer = adam\nlearning-rate = 0.01\nepochs = 10\n";
  Federation federation(settings);
  federation.start_server();
  federation.enrol_with(0, write(federation.folder(), false));
  federation.start_device(0);
  federation.device(0).wait_for_line("version 2 of motion serves now");
  std::vector<std::string> arguments = {"predict", federation.device_home(0).string(), "--output",
                                        (federation.folder() / "answers.jsonl").string()};
  for (const std::string& file : write(federation.folder(), true)) arguments.push_back(file);
  return json_of("fl-client", arguments).at("accuracy").to_number<double>();
}

std::string write_text(const std::filesystem::path& path, const std::string& text) {
  fl::write_file_atomically(path, fl::as_bytes(text));
  return path.string();
}

/// Rows of two numbers and whether their sum is above 100.
Files write_table(const std::filesystem::path& folder, bool test) {
  std::string rows = "a,sum,b\n";
  for (int i = test ? 1 : 0; i < 400; i += 2) {
    const int a = i * 37 % 101;
    const int b = i * 53 % 103;
    rows += std::to_string(a) + (a + b > 100 ? ",high," : ",low,") + std::to_string(b) + "\n";
  }
  return {write_text(folder / (test ? "test.csv" : "train.csv"), rows)};
}

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xffU);
  return bytes;
}

/// Images of 12 × 12 with a bright column (0) or row (1), each somewhere.
Files write_images(const std::filesystem::path& folder, bool test) {
  constexpr std::uint32_t count = 120;
  constexpr std::size_t size = 12;
  std::string images = big_endian(0x803) + big_endian(count) + big_endian(size) + big_endian(size);
  std::string labels = big_endian(0x801) + big_endian(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bright = (i / 2 + (test ? 5 : 0)) % size;
    for (std::size_t pixel = 0; pixel < size * size; ++pixel) {
      const std::size_t at = i % 2 == 0 ? pixel % size : pixel / size;
      images += at == bright ? '\xff' : static_cast<char>((pixel * 7 + i * 13) % 40);
    }
    labels += static_cast<char>(i % 2);
  }
  const std::string name = test ? "test" : "train";
  return {write_text(folder / (name + "-images"), images), write_text(folder / (name + "-labels"), labels)};
}

constexpr const char* text_data =
    "[data]\nformat = text\nlength = 20\nalphabet = "
    "\\n\\sabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:'?!-&3$\n";

/// A sentence over and over.
Files write_sentences(const std::filesystem::path& folder, bool test) {
  std::string text;
  while (text.size() < 8'000) {
    text +=
        "Now is the winter of our discontent made glorious summer by this sun of York; and all the clouds "
        "that lour'd upon our house in the deep bosom of the ocean buried.\n";
  }
  return {write_text(folder / (test ? "test.txt" : "train.txt"), text)};
}

/// The beginning of the plays in FL_SHAKESPEARE; the test is on what comes next.
Files write_play(const std::filesystem::path& folder, bool test) {
  const std::string plays = fl::read_text_file(
      std::filesystem::path(std::getenv("FL_SHAKESPEARE")) / "input.txt", std::size_t{16} << 20U);
  const std::string text = plays.substr(test ? 24'000 : 0, 24'000);
  return {write_text(folder / (test ? "test.txt" : "train.txt"), text)};
}

}  // namespace

TEST_CASE("a table trains an mlp and is predicted") {
  CHECK(accuracy_after_a_round("architecture = mlp\n",
                               "labels = low,high\n[data]\nformat = table\ncolumns = a,b\nlabel = sum\n"
                               "scale = 0.01,0.01\n",
                               write_table) > 0.85);
}

TEST_CASE("IDX images train a cnn2d and are predicted") {
  CHECK(accuracy_after_a_round("architecture = cnn2d\n",
                               "labels = column,row\n[data]\nformat = images\nheight = 12\nwidth = 12\n",
                               write_images) > 0.9);
}

// The commonest character, a space, is a sixth of a text.

TEST_CASE("text trains an lstm and is predicted") {
  CHECK(accuracy_after_a_round("architecture = lstm\n", text_data, write_sentences) > 0.4);
}

TEST_CASE("a real play trains an lstm and what comes next in it is predicted") {
  if (std::getenv("FL_SHAKESPEARE") == nullptr) {
    MESSAGE("skipped: FL_SHAKESPEARE does not name a folder with plays");
    return;
  }
  CHECK(accuracy_after_a_round("architecture = lstm\n", text_data, write_play) > 0.2);
}
