#include <string>
#include <vector>

#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;
using test::check_error;
using test::TemporaryFolder;
using test::write;

namespace {

std::string big_endian(std::initializer_list<std::uint32_t> numbers) {
  std::string text;
  for (const std::uint32_t number : numbers) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>(number >> shift & 0xffU);
  }
  return text;
}

// Images of 2 × 3 pixels; pixel p of image i is 10 · i + p.
std::string images(std::uint32_t count) {
  std::string text = big_endian({0x803, count, 2, 3});
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t pixel = 0; pixel < 6; ++pixel) text += static_cast<char>(10 * i + pixel);
  }
  return text;
}

std::string labels(const std::string& numbers) {
  return big_endian({0x801, static_cast<std::uint32_t>(numbers.size())}) + numbers;
}

TaskContract contract() {
  TaskContract task;
  task.inputs = {{"x", Datatype::fp32, {-1, 1, 2, 3}}};
  task.outputs = {{"logits", Datatype::fp32, {-1, 3}}};
  task.labels = {"zero", "one", "two"};
  task.data.format = DataFormat::images;
  task.data.height = 2;
  task.data.width = 3;
  return task;
}

void refuse(const std::vector<std::filesystem::path>& files, ErrorCode code, const std::string& words) {
  check_error(code, [&] { read_examples(files, contract()); }, words);
}

}  // namespace

TEST_CASE("images come with their labels and pixels from 0 to 1") {
  const TemporaryFolder folder;
  const auto examples = read_examples(
      {write(folder, "labels.idx", labels({2, 0})), write(folder, "images.idx", images(2))}, contract());
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].inputs.at(0).shape == Shape{1, 2, 3});
  CHECK(examples[0].inputs[0].floats()[5] == 5.0F / 255.0F);
  CHECK(examples[1].inputs[0].floats()[0] == 10.0F / 255.0F);
  CHECK(examples[0].target.integers()[0] == 2);
  CHECK(examples[1].target.integers()[0] == 0);
}

TEST_CASE("several image files are paired with label files in their order") {
  const TemporaryFolder folder;
  const auto first = write(folder, "a.idx", images(1));
  const auto second = write(folder, "b.idx", images(2));
  const auto first_labels = write(folder, "al.idx", labels({1}));
  const auto second_labels = write(folder, "bl.idx", labels({2, 2}));
  const auto reader = open_examples({first, second, first_labels, second_labels}, contract());
  CHECK(reader->next()->target.integers()[0] == 1);
  CHECK(reader->where() == first.string() + ": image 1");
  CHECK(reader->next()->target.integers()[0] == 2);
  CHECK(reader->next()->target.integers()[0] == 2);
  CHECK(!reader->next());
  refuse({first, second, second_labels, first_labels}, ErrorCode::invalid_data, "one label an image");
}

TEST_CASE("images without a label file can be predicted and not learnt from") {
  const TemporaryFolder folder;
  const auto path = write(folder, "images.idx", images(1));
  const auto examples = read_examples({path}, contract(), LabelPolicy::optional);
  REQUIRE(examples.size() == 1);
  CHECK(!has_target(examples[0]));
  refuse({path}, ErrorCode::invalid_argument, "1 IDX image files and 0 label files");
  refuse({write(folder, "labels.idx", labels({1}))}, ErrorCode::invalid_argument, "0 IDX image files");
}

TEST_CASE("image and label files that do not agree are refused by name (I9)") {
  const TemporaryFolder folder;
  const auto image_file = write(folder, "images.idx", images(2));
  const auto three = write(folder, "three.idx", labels({0, 1, 2}));
  refuse({image_file, three}, ErrorCode::invalid_data, "three.idx 3 labels");
  const auto unknown = write(folder, "unknown.idx", labels({0, 3}));
  refuse({image_file, unknown}, ErrorCode::invalid_data, "unknown.idx: label 2 is 3, a number below 3");
  const auto square = write(folder, "square.idx", big_endian({0x803, 1, 2, 2}) + "pixl");
  refuse({square, write(folder, "one.idx", labels({0}))}, ErrorCode::invalid_data,
         "square.idx has images of 2 × 2 pixels, 2 × 3 were expected");
}

TEST_CASE("a file that is no IDX file or not as long as it says is refused by name (I8)") {
  const TemporaryFolder folder;
  const auto refuse_content = [&](const std::string& content, const std::string& words) {
    refuse({write(folder, "bad.idx", content)}, ErrorCode::invalid_data, words);
  };
  refuse_content("", "bad.idx ends within the header");
  refuse_content(images(1).substr(0, 15), "bad.idx ends within the header");
  refuse_content("\x89PNG\r\n", "bad.idx is no IDX file");
  refuse_content(big_endian({0x804, 1, 2, 3}), "bad.idx is no IDX file");
  refuse_content("\x1f\x8b\x08\x08", "gunzip");
  refuse_content(images(2).substr(0, 27), "bad.idx has 11 bytes after its header");
  refuse_content(images(2) + "x", "bad.idx has 13 bytes after its header");
  refuse_content(big_endian({0x803, 0xffffffff, 0xffffffff, 0xffffffff}),
                 "bad.idx has 0 bytes after its header");
  refuse_content(big_endian({0x803, 0x80000000, 0x80000000, 4}), "bad.idx has 0 bytes after its header");
}
