#include <sstream>
#include <string>
#include <vector>

#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;
using test::check_error;
using test::TemporaryFolder;
using test::windows_contract;
using test::write;

namespace {

// Sample i of a series has a = i and b = -i.
std::string series(int samples, const std::string& label = "SIT") {
  std::ostringstream text;
  text << "time,b,label,a\n";
  for (int i = 0; i < samples; ++i) text << "7," << -i << ',' << label << ',' << i << '\n';
  return text.str();
}

std::string labelled(const std::vector<std::string>& labels) {
  std::string text = "a,b,label\n";
  for (const auto& label : labels) text += "0,0," + label + "\n";
  return text;
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.floats().begin(), tensor.floats().end()};
}

}  // namespace

TEST_CASE("windows hold each column scaled and in time and begin every step samples") {
  const TemporaryFolder folder;
  const auto examples = read_examples({write(folder, "x.csv", series(9))}, windows_contract());
  REQUIRE(examples.size() == 3);
  CHECK(examples[0].inputs.at(0).shape == Shape{2, 4});
  CHECK(values(examples[0].inputs[0]) == std::vector<float>{0, 1, 2, 3, 0, -0.5, -1, -1.5});
  CHECK(values(examples[1].inputs[0]) == std::vector<float>{2, 3, 4, 5, -1, -1.5, -2, -2.5});
  CHECK(values(examples[2].inputs[0]) == std::vector<float>{4, 5, 6, 7, -2, -2.5, -3, -3.5});
  CHECK(examples[0].target.shape.empty());
  CHECK(examples[0].target.integers()[0] == 0);
  CHECK(has_target(examples[0]));
}

TEST_CASE("the windows of a file are those that fit it for every window and step and length") {
  const TemporaryFolder folder;
  for (std::int64_t window : {1, 2, 5}) {
    for (std::int64_t step : {1, 3, 5, 8}) {
      for (int samples = 0; samples <= 20; ++samples) {
        TaskContract contract = windows_contract();
        contract.inputs.front().shape = {-1, 2, window};
        contract.data.window = window;
        contract.data.step = step;
        std::vector<float> starts;
        for (std::int64_t start = 0; start + window <= samples; start += step) {
          starts.push_back(static_cast<float>(start));
        }
        std::vector<float> found;
        for (const auto& example : read_examples({write(folder, "x.csv", series(samples))}, contract)) {
          found.push_back(example.inputs[0].floats()[0]);
        }
        CHECK(found == starts);
      }
    }
  }
}

TEST_CASE("a window lies within one file") {
  const TemporaryFolder folder;
  const std::vector<std::filesystem::path> files{write(folder, "1.csv", series(5)),
                                                 write(folder, "2.csv", series(3)),
                                                 write(folder, "3.csv", series(6, "RUN"))};
  const auto examples = read_examples(files, windows_contract());
  REQUIRE(examples.size() == 3);
  CHECK(values(examples[1].inputs[0]) == values(examples[0].inputs[0]));
  CHECK(examples[0].target.integers()[0] == 0);
  CHECK(examples[1].target.integers()[0] == 2);
  CHECK(examples[2].inputs[0].floats()[0] == 2);
}

TEST_CASE("files too short for a window are named with their rows and what a window takes (I9)") {
  const TemporaryFolder folder;
  std::vector<std::filesystem::path> files{write(folder, "x.csv", series(3))};
  const auto refuse = [&] { throw no_examples_in(files, windows_contract()); };
  check_error(ErrorCode::invalid_data, refuse, "x.csv (3 rows)", "a window takes 4 rows");
  for (const char* name : {"y.csv", "z.csv", "u.csv", "v.csv"})
    files.push_back(write(folder, name, series(0)));
  check_error(ErrorCode::invalid_data, refuse, "y.csv (0 rows)", "and 2 more");
}

TEST_CASE("a window has the label of most of its samples and of two the first in the contract") {
  const TemporaryFolder folder;
  const auto label_of = [&](const std::vector<std::string>& labels) {
    return read_examples({write(folder, "x.csv", labelled(labels))}, windows_contract())
        .at(0)
        .target.integers()[0];
  };
  CHECK(label_of({"RUN", "WALK", "RUN", "RUN"}) == 2);
  CHECK(label_of({"SIT", "WALK", "RUN", "WALK"}) == 1);
  CHECK(label_of({"RUN", "RUN", "WALK", "WALK"}) == 1);
  CHECK(label_of({"RUN", "SIT", "SIT", "RUN"}) == 0);
}

TEST_CASE("a label that is unknown is named with file and line and the known ones (I9)") {
  const TemporaryFolder folder;
  const auto path = write(folder, "walk.csv", labelled({"SIT", "WALK", "JUMP"}));
  check_error(
      ErrorCode::invalid_data, [&] { read_examples({path}, windows_contract()); },
      "walk.csv:4: column label holds 'JUMP'", "SIT, WALK, RUN");
}

TEST_CASE("a file without labels gives examples to predict and none to learn from") {
  const TemporaryFolder folder;
  const auto path = write(folder, "x.csv", "a,b\n1,1\n1,1\n1,1\n1,1\n");
  const auto examples = read_examples({path}, windows_contract(), LabelPolicy::optional);
  REQUIRE(examples.size() == 1);
  CHECK(!has_target(examples[0]));
  CHECK(stack(examples).inputs[0].shape == Shape{1, 2, 4});
  check_error(
      ErrorCode::invalid_data, [&] { read_examples({path}, windows_contract()); }, "x.csv",
      "no column 'label'", "'a', 'b'");
}

TEST_CASE("labels that are there are read even where they are not asked for") {
  const TemporaryFolder folder;
  const auto good = write(folder, "good.csv", series(4, "RUN"));
  CHECK(read_examples({good}, windows_contract(), LabelPolicy::optional).at(0).target.integers()[0] == 2);
  const auto bad = write(folder, "bad.csv", series(4, "JUMP"));
  check_error(
      ErrorCode::invalid_data, [&] { read_examples({bad}, windows_contract(), LabelPolicy::optional); },
      "bad.csv:2", "JUMP");
}

TEST_CASE("a file of another form than the contract says is refused by name (I9)") {
  const TemporaryFolder folder;
  const auto missing = write(folder, "missing.csv", "a,label\n1,SIT\n");
  const auto number = write(folder, "number.csv", "a,b,label\n1,1,SIT\n1,?,SIT\n");
  const auto huge = write(folder, "huge.csv", "a,b,label\n1e39,1,SIT\n");
  const auto read = [](const std::filesystem::path& path) { read_examples({path}, windows_contract()); };
  check_error(
      ErrorCode::invalid_data, [&] { read(missing); }, "missing.csv", "no column 'b'", "'a', 'label'");
  check_error(ErrorCode::invalid_data, [&] { read(number); }, "number.csv:3: column b holds '?'");
  check_error(ErrorCode::invalid_data, [&] { read(huge); }, "huge.csv:2: column a holds '1e39'", "fp32");
  CHECK(read_examples({write(folder, "header.csv", "a,b,label\n")}, windows_contract()).empty());
}

TEST_CASE("a file that is missing or a folder is refused before the first example (I9)") {
  const TemporaryFolder folder;
  const auto good = write(folder, "x.csv", series(4));
  const auto open = [&](const std::filesystem::path& path) {
    open_examples({good, path}, windows_contract());
  };
  check_error(ErrorCode::not_found, [&] { open(folder / "absent.csv"); }, "absent.csv");
  check_error(ErrorCode::invalid_argument, [&] { open(folder.path()); }, "is a folder");
  check_error(ErrorCode::invalid_argument, [&] { open_examples({}, windows_contract()); }, "no files");
}

TEST_CASE("a contract that no file can meet is refused (I9)") {
  const TemporaryFolder folder;
  const auto path = write(folder, "x.csv", series(4));
  TaskContract no_step = windows_contract();
  no_step.data.step = 0;
  check_error(ErrorCode::invalid_argument, [&] { open_examples({path}, no_step); }, "step");
  TaskContract two_inputs = windows_contract();
  two_inputs.inputs.push_back({"more", Datatype::fp32, {-1, 1}});
  check_error(ErrorCode::invalid_argument, [&] { open_examples({path}, two_inputs); }, "2 inputs");
}

TEST_CASE("the value of a window is the mean of its samples where there are no classes") {
  const TemporaryFolder folder;
  TaskContract contract = windows_contract();
  contract.loss = Loss::mse;
  contract.labels.clear();
  contract.outputs.front().shape = {-1, 1};
  const auto path = write(folder, "x.csv", "a,b,label\n0,0,1\n0,0,2\n0,0,3\n0,0,4\n");
  const auto examples = read_examples({path}, contract);
  REQUIRE(examples.size() == 1);
  CHECK(examples[0].target.shape == Shape{1});
  CHECK(examples[0].target.floats()[0] == 2.5F);
}

TEST_CASE("a reader says where it is") {
  const TemporaryFolder folder;
  const auto path = write(folder, "x.csv", series(6));
  const auto reader = open_examples({path}, windows_contract());
  CHECK(reader->where() == path.string());
  REQUIRE(reader->next());
  CHECK(reader->where() == path.string() + ":5");
  REQUIRE(reader->next());
  CHECK(!reader->next());
  CHECK(!reader->next());
}
