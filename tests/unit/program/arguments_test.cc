#include "common/program/arguments.h"

#include <functional>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/program/nearest.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::program;

namespace {

Options sample() {
  Options options;
  options.argument("DIR", "the home")
      .value("name", "NAME", "a name")
      .value("hours", "H", "how long", "24")
      .value("train.epochs", "N", "passes")
      .value("input.*", "SHAPE", "an input's shape")
      .values("data", "FILE", "files")
      .config_file()
      .json();
  return options;
}

Arguments parsed(const std::vector<std::string>& tokens) {
  return parse(sample(), tokens);
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was refused";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("words are given to arguments by place and to options by name") {
  const Arguments arguments = parsed({"--hours", "3", "home", "--data", "a", "b", "--json"});
  CHECK(arguments.text("DIR") == "home");
  CHECK(arguments.integer("hours", 1, 100) == 3);
  CHECK(arguments.texts("data") == std::vector<std::string>{"a", "b"});
  CHECK(arguments.has("json"));
  CHECK_FALSE(arguments.has("config"));
}

TEST_CASE("the words that are left are given to the arguments that take several") {
  Options options;
  options.argument("HOME", "the home").arguments("FILES", "the files").value("task", "NAME", "which").json();
  CHECK(options.usage() == "HOME FILES... [options]");
  CHECK(contains(options.help(), "  FILES...  "));
  const auto files_in = [&](const std::vector<std::string>& tokens) {
    const Arguments arguments = parse(options, tokens);
    CHECK(arguments.text("HOME") == "home");
    return arguments.texts("FILES");
  };
  using Words = std::vector<std::string>;
  CHECK(files_in({"home", "a"}) == Words{"a"});
  CHECK(files_in({"home", "a", "--task", "t", "b", "--json", "c"}) == Words{"a", "b", "c"});
  CHECK(files_in({"--task", "t", "home", "a", "b"}) == Words{"a", "b"});
  CHECK(contains(refusal([&] { parse(options, Words{"home"}); }), "FILES is missing: the files"));
}

TEST_CASE("a default answers where nothing was given and does not count as given") {
  const Arguments arguments = parsed({"home"});
  CHECK(arguments.integer("hours") == 24);
  CHECK_FALSE(arguments.has("hours"));
  CHECK_FALSE(arguments.optional_text("name").has_value());
  CHECK(contains(refusal([&] { arguments.text("train.epochs"); }), "--train.epochs is missing"));
}

TEST_CASE("an option with a star takes every name with its beginning") {
  const Arguments arguments = parsed({"home", "--input.x", "6,50", "--input.mask", "50"});
  CHECK(arguments.names_with("input.") == std::vector<std::string>{"input.x", "input.mask"});
  CHECK(arguments.list("input.x") == std::vector<std::string>{"6", "50"});
}

TEST_CASE("an unknown option is refused with the nearest known one (I9)") {
  CHECK(contains(refusal([] { parsed({"home", "--huors", "3"}); }),
                 "unknown option --huors; did you mean --hours?"));
  CHECK(contains(refusal([] { parsed({"home", "--hour", "3"}); }), "did you mean --hours?"));
  CHECK(refusal([] { parsed({"home", "--zzzzzzz"}); }) == "unknown option --zzzzzzz");
}

TEST_CASE("words that are missing or too many or given twice are refused by name (I9)") {
  CHECK(contains(refusal([] { parsed({}); }), "DIR is missing"));
  CHECK(contains(refusal([] { parsed({"a", "b"}); }), "'b' is one argument too many"));
  CHECK(contains(refusal([] { parsed({"a", "--hours"}); }), "--hours"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "1", "--hours", "2"}); }), "second time"));
}

TEST_CASE("values of the wrong kind are refused with where they were given (I9)") {
  CHECK(contains(refusal([] { parsed({"a", "--hours", "x"}).integer("hours"); }),
                 "--hours: 'x' is not a whole number"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "3.5"}).integer("hours"); }), "not a whole number"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "0"}).integer("hours", 1, 9); }),
                 "at least 1 and at most 9"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "nan"}).number("hours"); }), "not a number"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "1,,2"}).list("hours"); }), "is empty"));
  CHECK(parsed({"a", "--hours", "1e-3"}).number("hours") == doctest::Approx(0.001));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "-1"}).number("hours", 0.5); }),
                 "--hours: -1 is out of range; it must be at least 0.5"));
  CHECK(parsed({"a", "--hours", "1, 2"}).numbers("hours") == std::vector<double>{1.0, 2.0});
  CHECK(parsed({"a", "--hours", "1, 2"}).integers("hours", 1, 2) == std::vector<std::int64_t>{1, 2});
  CHECK(contains(refusal([] { parsed({"a", "--hours", "1,3.7"}).integers("hours", 1, 9); }),
                 "--hours: '3.7' is not a whole number"));
  CHECK(contains(refusal([] { parsed({"a", "--hours", "1,10"}).integers("hours", 1, 9); }),
                 "--hours: 10 is out of range; it must be at least 1 and at most 9"));
}

TEST_CASE("a configuration file gives what the command line does not") {
  const test::TemporaryFolder folder;
  const std::string file = (folder / "task.ini").string();
  write_file_atomically(file, as_bytes("# a comment\nhours = 5\n\n[train]\nepochs = 7\n"));
  const Arguments arguments = parsed({"home", "--config", file, "--hours", "9"});
  CHECK(arguments.integer("hours") == 9);
  CHECK(arguments.integer("train.epochs") == 7);
  CHECK(arguments.where("train.epochs") == file + ":5: train.epochs");
}

TEST_CASE("an unknown or repeated setting and a line that is none are refused by line (I9)") {
  const test::TemporaryFolder folder;
  const std::string file = (folder / "task.ini").string();
  const auto refused = [&](std::string_view content) {
    write_file_atomically(file, as_bytes(content));
    return refusal([&] { parsed({"home", "--config", file}); });
  };
  CHECK(contains(refused("hours = 1\n[train]\nepoch = 7\n"),
                 ":3: train.epoch: unknown setting; did you mean "
                 "train.epochs?"));
  CHECK(contains(refused("hours = 1\nhours = 2\n"), ":2: hours: the setting is given a second time"));
  CHECK(contains(refused("hours = 1\nwhat is this\n"), ":2: 'what is this' is no setting"));
  CHECK(contains(refused("DIR = 1\n"), "unknown setting"));
  CHECK_THROWS_AS(parsed({"home", "--config", (folder / "absent").string()}), Error);
}

TEST_CASE("the nearest name is a likely slip of the fingers or none") {
  const std::vector<std::string> known{"status", "devices", "rounds"};
  CHECK(nearest("stauts", known) == "status");
  CHECK(nearest("device", known) == "devices");
  CHECK(nearest("export", known).empty());
  CHECK(did_you_mean("round", known) == "; did you mean rounds?");
}
