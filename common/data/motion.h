#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "common/data/motion_style.h"

namespace fl {

/// One reading of a phone's sensors.
struct MotionSample {
  Vector3 acceleration{};      ///< m/s², with gravity, in the phone's axes.
  Vector3 rotation{};          ///< radians a second
  std::int64_t timestamp = 0;  ///< Milliseconds since the Unix epoch.
  Activity activity = Activity::seated;
};

/// A made-up person whose phone records what they do, at 20 Hz: the default data of the project, worth
/// federating because people carry the phone and move in their own ways, and most record only some
/// activities. The same seed, person and number give the same recording on every machine, to the four
/// decimals that are written. Immutable, and so safe to use from any thread.
class MotionPerson {
 public:
  MotionPerson(std::uint64_t seed, std::uint64_t person, Routine routine = Routine::habitual);

  const MotionStyle& style() const { return style_; }
  /// The person's recording number `number`, about a minute: once through the routine.
  std::vector<MotionSample> recording(std::uint64_t number) const;

 private:
  std::uint64_t seed_;
  MotionStyle style_;
};

/// Writes a recording as CSV with the columns x_acc, y_acc, z_acc, x_gyro, y_gyro, z_gyro, timestamp and
/// label, which motion_contract() reads. Throws Error as write_file_atomically does.
void write_motion_csv(const std::filesystem::path& path, const std::vector<MotionSample>& recording);

/// Which people a folder is filled with.
struct MotionPeople {
  std::uint64_t seed = 1;
  std::uint64_t count = 6;
  std::uint64_t first = 0;       ///< Number of the first; there is a person for every number.
  std::uint64_t recordings = 6;  ///< Files of each.
  Routine routine = Routine::habitual;
};

/// Writes people as FOLDER/DATA/<person>/<person>_<number>_sp.csv (p01/p01_01_sp.csv and so on), the layout
/// that people_in() finds; about 40 windows a file. Files that are there are replaced.
void write_motion_people(const std::filesystem::path& folder, const MotionPeople& people);

}  // namespace fl
