#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>

#include "common/data/motion_contract.h"
#include "common/data/people.h"
#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;

namespace {

std::size_t lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::size_t lines = 0;
  while (std::getline(file, line)) ++lines;
  return lines;
}

std::size_t windows_of(const Person& person) {
  return std::accumulate(person.files.begin(), person.files.end(), std::size_t{0},
                         [](std::size_t sum, const auto& file) {
                           const std::size_t samples = lines_of(file) - 1;
                           return samples < 50 ? sum : sum + (samples - 50) / 25 + 1;
                         });
}

}  // namespace

TEST_CASE("every window of the real phone recordings is read where FL_HAR_DIR names them") {
  const char* folder = std::getenv("FL_HAR_DIR");
  if (folder == nullptr) {
    MESSAGE("skipped: FL_HAR_DIR does not name the data set of people's motion");
    return;
  }
  const auto people = people_in(folder);
  CHECK(people.size() == 18);
  for (const Person& person : people) {
    const auto examples = read_examples(person.files, motion_contract());
    CHECK_MESSAGE(examples.size() == windows_of(person), person.name);
    CHECK(stack(examples).targets.shape == Shape{static_cast<std::int64_t>(examples.size())});
  }
}
