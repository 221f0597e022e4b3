#include "common/data/motion.h"

#include <charconv>
#include <string>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/data/motion_contract.h"
#include "common/data/motion_recorder.h"

namespace fl {
namespace {

constexpr std::string_view header = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n";
constexpr int decimals = 4;

void append_number(std::string& text, double value) {
  std::array<char, 64> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  text.append(buffer.data(), result.ptr);
  text += ',';
}

void append_two_digits(std::string& text, std::uint64_t number) {
  if (number < 10) text += '0';
  text += std::to_string(number);
}

}  // namespace

MotionPerson::MotionPerson(std::uint64_t seed, std::uint64_t person, Routine routine)
    : seed_(derive_seed(derive_seed(seed, person), 1)),
      style_(MotionStyle::of_person(seed, person, routine)) {}

std::vector<MotionSample> MotionPerson::recording(std::uint64_t number) const {
  MotionRecorder recorder(style_, derive_seed(seed_, number));
  for (const Activity activity : style_.routine) recorder.perform(activity);
  return recorder.samples();
}

void write_motion_csv(const std::filesystem::path& path, const std::vector<MotionSample>& recording) {
  const auto labels = motion_contract().labels;
  std::string text(header);
  for (const MotionSample& sample : recording) {
    for (const double value : sample.acceleration) append_number(text, value);
    for (const double value : sample.rotation) append_number(text, value);
    text += std::to_string(sample.timestamp) + ',' + labels[static_cast<std::size_t>(sample.activity)] + '\n';
  }
  write_file_atomically(path, as_bytes(text));
}

void write_motion_people(const std::filesystem::path& folder, const MotionPeople& people) {
  for (std::uint64_t i = people.first; i < people.first + people.count; ++i) {
    const MotionPerson person(people.seed, i, people.routine);
    std::string name = "p";
    append_two_digits(name, i + 1);
    make_private_folder(folder / "DATA" / name);
    for (std::uint64_t number = 1; number <= people.recordings; ++number) {
      std::string file = name + "_";
      append_two_digits(file, number);
      write_motion_csv(folder / "DATA" / name / (file + "_sp.csv"), person.recording(number));
    }
  }
}

}  // namespace fl
