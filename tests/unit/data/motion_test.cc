#include "common/data/motion.h"

#include <array>
#include <cmath>
#include <map>
#include <set>

#include "common/base/digest.h"
#include "common/base/files.h"
#include "common/data/motion_contract.h"
#include "common/data/people.h"
#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;
using test::TemporaryFolder;

namespace {

std::string text_of(const std::vector<MotionSample>& recording) {
  const TemporaryFolder folder;
  write_motion_csv(folder / "x.csv", recording);
  return read_text_file(folder / "x.csv");
}

// Mean of each axis over the samples of one activity.
Vector3 mean_acceleration(const std::vector<MotionSample>& recording, Activity activity) {
  Vector3 sum{};
  double count = 0;
  for (const MotionSample& sample : recording) {
    if (sample.activity != activity) continue;
    for (std::size_t axis = 0; axis < 3; ++axis) sum[axis] += sample.acceleration[axis];
    ++count;
  }
  for (double& value : sum) value /= count;
  return sum;
}

double length(const Vector3& vector) {
  return std::hypot(vector[0], vector[1], vector[2]);
}

double product(const Vector3& left, const Vector3& right) {
  return left[0] * right[0] + left[1] * right[1] + left[2] * right[2];
}

}  // namespace

TEST_CASE("the contract of the motion data holds") {
  motion_contract().validate();
  CHECK(motion_contract().labels.at(static_cast<std::size_t>(Activity::sitting_down)) == "SITTING_DOWN");
}

TEST_CASE("a seed gives the same recording and another seed or person or number another one") {
  const std::string text = text_of(MotionPerson(1, 0).recording(1));
  CHECK(text == text_of(MotionPerson(1, 0).recording(1)));
  CHECK(text != text_of(MotionPerson(2, 0).recording(1)));
  CHECK(text != text_of(MotionPerson(1, 1).recording(1)));
  CHECK(text != text_of(MotionPerson(1, 0).recording(2)));
}

TEST_CASE("phones feel gravity and lie in people's pockets in four ways") {
  std::vector<Vector3> standing;
  for (std::uint64_t person = 0; person < 4; ++person) {
    const auto recording = MotionPerson(1, person).recording(1);
    standing.push_back(mean_acceleration(recording, Activity::walking));
    CHECK(length(standing.back()) > 8.5);
    CHECK(length(standing.back()) < 10.5);
  }
  CHECK(product(standing[0], standing[1]) > 0.5 * 9.81 * 9.81);
  CHECK(product(standing[0], standing[2]) < -0.5 * 9.81 * 9.81);
  CHECK(product(standing[0], standing[3]) < -0.5 * 9.81 * 9.81);
}

TEST_CASE("sitting turns the thigh by about a right angle") {
  const auto recording = MotionPerson(1, 0).recording(1);
  const Vector3 seated = mean_acceleration(recording, Activity::seated);
  const Vector3 standing = mean_acceleration(recording, Activity::walking);
  CHECK(std::abs(product(seated, standing)) < 0.5 * length(seated) * length(standing));
}

TEST_CASE("people of the motion data record different activities") {
  std::map<std::size_t, std::set<Activity>> activities;
  for (std::uint64_t person = 0; person < 6; ++person) {
    for (const auto& sample : MotionPerson(1, person).recording(1))
      activities[person].insert(sample.activity);
  }
  CHECK(activities[0].count(Activity::turning) == 0);
  CHECK(activities[1] == std::set{Activity::walking, Activity::turning});
  CHECK(activities[2].count(Activity::sitting_down) == 0);
  CHECK(activities[3].count(Activity::standing_up) == 0);
  CHECK(activities[4].count(Activity::walking) == 0);
  CHECK(activities[5] == activities[0]);
  std::set<Activity> complete;
  for (const auto& sample : MotionPerson(1, 1, Routine::complete).recording(1))
    complete.insert(sample.activity);
  CHECK(complete.size() == 5);
}

TEST_CASE("people that are written are found and read as windows") {
  const TemporaryFolder folder;
  write_motion_people(folder.path(), {.seed = 3, .count = 3, .first = 9, .recordings = 4});
  const auto people = people_in(folder.path());
  REQUIRE(people.size() == 3);
  CHECK(people[0].name == "p10");
  for (const Person& person : people) {
    CHECK(person.files.size() == 4);
    const auto count = read_examples(person.files, motion_contract()).size();
    CHECK(count > 100);
    CHECK(count < 250);
  }
  CHECK(read_text_file(people[1].files[2]) == text_of(MotionPerson(3, 10).recording(3)));
}
